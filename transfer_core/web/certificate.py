"""The certificate by which a shared page server encrypts: made on this computer, for this computer, and kept."""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from transfer_core.errors import StorageError, storage_error
from transfer_core.files import write_bytes
from transfer_core.i18n import _

DAYS = 397  # longer than that, browsers take no certificate
CERTIFICATE = "certificate.pem"
RENEWED = 30  # days before its end


@dataclass(frozen=True)
class Certificate:
    """The files of a certificate and its key, and the SHA-256 by which people recognise it: pairs of hexadecimals between colons."""

    certificate: Path
    private_key: Path
    fingerprint: str


def certificate_for(names: Sequence[str], folder: Path) -> Certificate:
    """The certificate in `folder` if it holds for all `names`, hosts and addresses alike, else a new one.

    Raises StorageError. P-256 and SHA-256; the key is readable by its owner alone.
    """
    files = folder / CERTIFICATE, folder / "private-key.pem"
    known = _read(*files)
    if known is None or not set(names) <= known[0]:
        _make(list(dict.fromkeys([*names, *(known[0] if known else ())])), *files)
        known = _read(*files)
    if known is None:
        raise StorageError(
            _("The certificate in {folder} can't be read.").format(folder=folder),
            code="certificate",
            file=folder,
            fix=_("Delete that folder: a new one is made."),
        )
    return Certificate(*files, known[1])


def _read(certificate: Path, private_key: Path) -> tuple[set[str], str] | None:
    """The names that the certificate holds for and its fingerprint; None when it is missing, broken or at its end."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        key = serialization.load_pem_private_key(private_key.read_bytes(), None)
        alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, x509.ExtensionNotFound):
        return None
    left = found.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    if left < datetime.timedelta(days=RENEWED) or key.public_key() != found.public_key():
        return None
    names = {str(name.value) for name in alternatives}
    return names, ":".join(f"{byte:02X}" for byte in found.fingerprint(hashes.SHA256()))


def _make(names: Iterable[str], certificate: Path, private_key: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Transfer Studio")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # a phone's clock may be behind
        .not_valid_after(now + datetime.timedelta(days=DAYS - 1))
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_bytes(private_key, pem)
    try:
        os.chmod(private_key, 0o600)  # noqa: PTH101
    except OSError as error:
        raise storage_error(error, private_key) from error
    write_bytes(certificate, made.public_bytes(serialization.Encoding.PEM))


def _alternative(name: str):  # type: ignore[no-untyped-def]
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
