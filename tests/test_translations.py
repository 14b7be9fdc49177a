"""Every sentence of the source is translated in every catalogue, with the same placeholders; the compiled file is in step."""

from __future__ import annotations

import gettext
import importlib.util
import string
from pathlib import Path
from types import ModuleType

import pytest

from transfer_core import i18n
from transfer_core.training.settings import RunSettings

babel = pytest.importorskip("babel", reason="the catalogues are compared with Babel, of the development extras")


def _translations() -> ModuleType:
    spec = importlib.util.spec_from_file_location("translations", Path(__file__).with_name("translations.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


translations = _translations()
LANGUAGES = [language for language in i18n.LANGUAGES if language != "en"]
HOW = "run `make messages` and fill in what is empty in the .po file"


def forms(text: str | tuple[str, ...]) -> tuple[str, ...]:
    """A message or translation with all its plural forms."""
    return (text,) if isinstance(text, str) else tuple(text)


def placeholders(text: str) -> set[str]:
    """The names in braces."""
    return {name for _text, name, _format, _conversion in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_translated(language: str) -> None:
    catalogue = translations.read(language)
    known = {message.id: message for message in catalogue if message.id}
    source = set(translations.messages())
    assert not source - set(known), HOW
    assert not set(known) - source, f"no longer in the source: {HOW}"
    empty = [message.id for message in known.values() if not all(forms(message.string))]
    assert not empty, HOW
    assert not [message.id for message in known.values() if message.fuzzy]


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_agree(language: str) -> None:
    for message in translations.read(language):
        if message.id:
            wanted = set.union(*(placeholders(text) for text in forms(message.id)))
            for translated in forms(message.string):
                assert placeholders(translated) == wanted, message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_markup_agrees(language: str) -> None:
    """What is bold, an icon or a command in the source is so in the translation."""
    for message in translations.read(language):
        if message.id:
            original = forms(message.id)[-1]
            for translated in forms(message.string):
                assert translated.count("**") == original.count("**"), message.id
                assert translated.count("`") == original.count("`"), message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_in_step(language: str) -> None:
    with translations.po_file(language).with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for message in translations.read(language):
        if message.id:
            assert compiled.gettext(forms(message.id)[0]) in forms(message.string) or isinstance(message.id, tuple), message.id
            if isinstance(message.id, tuple):
                assert compiled.ngettext(message.id[0], message.id[1], 2) == forms(message.string)[-1], message.id


def test_the_explanations_of_settings_are_found() -> None:
    """They are marked by no call, so they are looked for in the source of the settings: none may be missed."""
    found = set(translations.setting_descriptions())
    assert found == {field.description for field in RunSettings.model_fields.values()}
