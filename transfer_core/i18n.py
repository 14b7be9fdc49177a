"""Every sentence for people goes through `_`: English in the source, catalogues under `locales/`."""

from __future__ import annotations

import gettext
import os
from contextvars import ContextVar
from functools import cache
from pathlib import Path

DOMAIN = "transfer_studio"
LOCALES = Path(__file__).parent / "locales"
LANGUAGES = {"en": "English", "zh_CN": "简体中文"}
VARIABLE = "TRANSFER_STUDIO_LANGUAGE"

# A context variable and not a global: two browsers on one page server may read different languages.
_language: ContextVar[str | None] = ContextVar("language", default=None)


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, LOCALES, languages=[language], fallback=True)


def language() -> str:
    """The language in force here: a key of `LANGUAGES`."""
    chosen = _language.get() or os.environ.get(VARIABLE) or ""
    return chosen if chosen in LANGUAGES else "en"


def set_language(code: str | None) -> None:
    """Choose the language of this thread's sentences; None goes back to the environment's."""
    _language.set(code if code in LANGUAGES else None)


def _(message: str) -> str:
    """`message` in the language in force."""
    return _catalogue(language()).gettext(message)


def ngettext(singular: str, plural: str, count: int) -> str:
    """`singular` or `plural`, by `count`, in the language in force."""
    return _catalogue(language()).ngettext(singular, plural, count)
