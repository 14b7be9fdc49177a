"""Where published weights lie: at torchvision's or timm's address, or in a mirror that the user or the administrator has named."""

from __future__ import annotations

import http.client
import os
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from transfer_core import preferences
from transfer_core.backbones.catalogue import BackboneInfo, catalogue
from transfer_core.backbones.download import hash_in_name
from transfer_core.errors import SettingsError, WeightsError
from transfer_core.i18n import _

MIRROR = "TRANSFER_STUDIO_WEIGHTS_MIRROR"
PREFERENCE = "weights_mirror"


# Where timm publishes: ORGANISATION/NAME/resolve/main/FILE.
HUB = "https://huggingface.co"
HUB_SEPARATOR = "--"  # in a file's name here, for the slashes of its place there
PATIENCE = 30.0  # seconds


@dataclass(frozen=True)
class Published:
    """A published file of weights."""

    entry: str  # as torchvision writes it, such as ResNet18_Weights.IMAGENET1K_V1, or timm's name
    address: str
    kept_as: str = ""  # the file's name here, where it is not that at its address

    @property
    def name(self) -> str:
        """The file's name here."""
        return self.kept_as or self.address.rpartition("/")[2]

    @property
    def hash_beginning(self) -> str:
        """What the file's SHA-256 begins with: told by torchvision in the name, by timm's server in a header; "" where neither does.

        Raises nothing: where the server can't be reached, the download will say so.
        """
        return hash_in_name(self.name) if not self.address.startswith(HUB) else _linked_hash(self.nearest)

    @property
    def nearest(self) -> str:
        """The address or path to take it from: the mirror's, where there is one."""
        chosen = mirror()
        return f"{chosen}/{self.name}" if chosen else self.address


def published(info: BackboneInfo) -> Published:
    """The published weights of a backbone; imports torchvision, which alone knows the address.

    Raises WeightsError (weights-missing) for the built-in ones, which are nowhere else.
    """
    if not info.weights:
        raise WeightsError(
            _("The weights of {backbone} come with the program, and are missing.").format(backbone=info.name),
            code="weights-missing",
            fix=_("Install Transfer Studio again, or choose another backbone."),
        )
    if info.family == "timm":
        organisation, name, file = info.weights_file.split(HUB_SEPARATOR, 2)
        return Published(info.name, f"{HUB}/{organisation}/{name}/resolve/main/{file}", info.weights_file)
    from torchvision.models import get_model_weights

    entry = get_model_weights(info.architecture)[info.weights]
    return Published(str(entry), entry.url)


def on_the_hub(repository: str, file: str) -> str:
    """What a file in one of the hub's repositories is called here."""
    return HUB_SEPARATOR.join([*repository.split("/"), file])


def _linked_hash(address: str) -> str:
    """The SHA-256 that the hub states for a large file, before it sends one on to where the file is."""
    request = urllib.request.Request(address, method="HEAD", headers={"User-Agent": "transfer-studio"})
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=PATIENCE) as answer:
            stated = answer.headers.get("X-Linked-ETag", "")
    except urllib.error.HTTPError as error:  # being sent on is an error to one who stays
        stated = error.headers.get("X-Linked-ETag", "")
    except (OSError, ValueError, http.client.HTTPException):
        return ""
    digest = stated.strip('"').lower()
    return digest if re.fullmatch("[0-9a-f]{64}", digest) else ""


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: object, **_named: object) -> None:
        """Not to go where one is sent."""


def published_as(digest: str) -> BackboneInfo | None:
    """The backbone whose published file has this SHA-256, as far as torchvision's file names tell; no torch."""
    for info in catalogue().values():
        beginning = hash_in_name(info.weights_file)
        if beginning and digest.startswith(beginning):
            return info
    return None


def mirror() -> str:
    """The address or folder that takes the place of torchvision's server, "" for none: the environment's, else the user's."""
    chosen = os.environ.get(MIRROR) or preferences.read().get(PREFERENCE)
    return chosen.rstrip("/\\") if isinstance(chosen, str) else ""


def choose_mirror(text: str) -> None:
    """Keep the user's mirror: an http(s) address or a folder; "" for none.

    Raises SettingsError (weights-mirror) for what is neither, StorageError.
    """
    text = text.strip()
    if text and not text.startswith(("http://", "https://")):
        folder = Path(text).expanduser().absolute()
        if not folder.is_dir():
            raise SettingsError(
                _("{mirror} is neither an address nor a folder on this computer.").format(mirror=text),
                code="weights-mirror",
                fix=_("Give an address that begins with https://, or the folder that the files of weights are in."),
            )
        text = str(folder)
    preferences.change(**{PREFERENCE: text or None})
