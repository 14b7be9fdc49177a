"""Bring the catalogues in step with the source: `python tests/translations.py`. Needs the development extras.

New sentences get an empty translation, those that are gone are dropped, and every `.mo` is written anew from its `.po`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from transfer_core.i18n import DOMAIN, LANGUAGES

ROOT = Path(__file__).parents[1]
LOCALES = ROOT / "transfer_core" / "locales"  # of this checkout, whichever is installed
ARGUMENTS = {"_": 1, "ngettext": 2}  # how many texts each takes


def main() -> int:
    """Update every catalogue; returns 1 when a translation is missing, naming it."""
    missing = 0
    for language in LANGUAGES:
        if language == "en":
            continue
        catalogue = updated(language)
        file = po_file(language)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as opened:
            write_po(opened, catalogue, width=130, sort_output=True, omit_header=False)
        with file.with_suffix(".mo").open("wb") as opened:
            write_mo(opened, catalogue)
        for message in catalogue:
            if message.id and not (all(message.string) if isinstance(message.string, tuple | list) else message.string):
                missing += 1
                print(f"{language}: not translated: {message.id!r}", file=sys.stderr)
    return 1 if missing else 0


def po_file(language: str) -> Path:
    """The catalogue of a language, for people."""
    return LOCALES / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def updated(language: str) -> Catalog:
    """The catalogue of a language with exactly the messages of the source, translated as far as it was."""
    old = read(language)
    # Dates stay as they were: the files change only where a sentence does.
    catalogue = Catalog(
        locale=language,
        domain=DOMAIN,
        header_comment="# The sentences of Transfer Studio.",
        project="Transfer Studio",
        version="1",
        copyright_holder="the contributors of Transfer Studio",
        creation_date=old.creation_date,
        revision_date=old.creation_date,
        last_translator="the contributors of Transfer Studio",
        language_team="the contributors of Transfer Studio",
        fuzzy=False,
    )
    for found in messages():
        known = old.get(found[0] if isinstance(found, tuple) else found)
        catalogue.add(found, known.string if known else None)
    return catalogue


def read(language: str) -> Catalog:
    """The catalogue of a language as it is on disk; an empty one before there is any."""
    if not po_file(language).exists():
        return Catalog(locale=language)
    with po_file(language).open("rb") as opened:
        return read_po(opened, locale=language)


def messages() -> Iterator[str | tuple[str, ...]]:
    """Every message of the source; one with a plural as a pair."""
    for file in source_files():
        # Not Babel's own extraction: before Python 3.12 it does not see into f-strings.
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ARGUMENTS:
                count = ARGUMENTS[node.func.id]
                texts = [str(part.value) for part in node.args[:count] if isinstance(part, ast.Constant)]
                if len(texts) == count:
                    yield texts[0] if len(texts) == 1 else tuple(texts)
    yield from setting_descriptions()


def source_files() -> list[Path]:
    """The Python files whose sentences are shown to people."""
    return [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py")), *sorted((ROOT / "transfer_core").rglob("*.py"))]


def setting_descriptions() -> Iterator[str]:
    """The explanations of settings, which the form shows: they stand in `Field(description=)` and `_switch()`, where no call marks them."""
    tree = ast.parse((ROOT / "transfer_core" / "training" / "settings.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Field", "_switch"):
            described = [keyword.value for keyword in node.keywords if keyword.arg == "description"]
            for value in described or node.args[:1]:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value


if __name__ == "__main__":
    sys.exit(main())
