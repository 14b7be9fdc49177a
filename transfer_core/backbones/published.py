"""Where published weights lie: at torchvision's address, or in a mirror that the user or the administrator has named."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from transfer_core import preferences
from transfer_core.backbones.catalogue import BackboneInfo, catalogue
from transfer_core.backbones.download import hash_in_name
from transfer_core.errors import SettingsError, WeightsError
from transfer_core.i18n import _

MIRROR = "TRANSFER_STUDIO_WEIGHTS_MIRROR"
PREFERENCE = "weights_mirror"


@dataclass(frozen=True)
class Published:
    """A file of weights as torchvision publishes it."""

    entry: str  # as torchvision writes it, such as ResNet18_Weights.IMAGENET1K_V1
    address: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.address.rpartition("/")[2]

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
    from torchvision.models import get_model_weights

    entry = get_model_weights(info.architecture)[info.weights]
    return Published(str(entry), entry.url)


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
