"""The certificate: made once, kept while it holds, readable by its owner alone, and good enough for a browser to encrypt with."""

from __future__ import annotations

import datetime
import os
import socket
import ssl
import threading
from pathlib import Path

import pytest

from transfer_core.errors import StorageError
from transfer_core.web import certificate
from transfer_core.web.certificate import certificate_for

NAMES = ["localhost", "127.0.0.1", "192.168.1.7", "::1"]


def test_made_once_and_kept(tmp_path: Path) -> None:
    """The fingerprint that somebody compared yesterday is that of today, also when this computer lost one of its names."""
    first = certificate_for(NAMES, tmp_path)
    assert certificate_for(NAMES, tmp_path) == first and certificate_for(NAMES[:2], tmp_path) == first
    other = certificate_for([*NAMES, "10.0.0.3"], tmp_path)
    assert other.fingerprint != first.fingerprint
    assert certificate_for(NAMES, tmp_path) == other
    assert len(first.fingerprint.split(":")) == 32
    if os.name == "posix":
        assert first.private_key.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("broken", ["certificate.pem", "private-key.pem"])
def test_a_broken_one_is_made_anew(tmp_path: Path, broken: str) -> None:
    first = certificate_for(NAMES, tmp_path)
    (tmp_path / broken).write_text("nothing")
    again = certificate_for(NAMES, tmp_path)
    assert again.fingerprint != first.fingerprint


def test_one_of_another_key_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other, ours = certificate_for(NAMES, tmp_path / "other"), certificate_for(NAMES, tmp_path)
    ours.private_key.write_bytes(other.private_key.read_bytes())
    assert certificate_for(NAMES, tmp_path).fingerprint not in (ours.fingerprint, other.fingerprint)


def test_one_near_its_end_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tmp_path / "certificate.pem", tmp_path / "private-key.pem"
    monkeypatch.setattr(certificate, "DAYS", certificate.RENEWED - 1)
    certificate._make(NAMES, *files)
    old = files[0].read_bytes()
    monkeypatch.undo()
    assert certificate_for(NAMES, tmp_path).certificate.read_bytes() != old


def test_no_longer_than_browsers_take(tmp_path: Path) -> None:
    from cryptography import x509

    made = x509.load_pem_x509_certificate(certificate_for(NAMES, tmp_path).certificate.read_bytes())
    assert made.not_valid_after_utc - made.not_valid_before_utc <= datetime.timedelta(days=397)


def test_it_encrypts(tmp_path: Path) -> None:
    """A client that trusts it reaches the server under its names, and under no other."""
    made = certificate_for(NAMES, tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(made.certificate, made.private_key)
    for name, good in (("localhost", True), ("192.168.1.7", True), ("evil.example", False)):
        client, server = socket.socketpair()

        def answer(server: socket.socket = server) -> None:
            try:
                with serving.wrap_socket(server, server_side=True) as wrapped:
                    wrapped.sendall(b"hello")
            except OSError:
                pass

        thread = threading.Thread(target=answer)
        thread.start()
        context = ssl.create_default_context(cafile=made.certificate)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        try:
            with context.wrap_socket(client, server_hostname=name) as wrapped:
                assert wrapped.recv(5) == b"hello" and good
        except ssl.SSLCertVerificationError:
            assert not good
        thread.join()


def test_a_folder_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        certificate_for(NAMES, tmp_path / "missing")
