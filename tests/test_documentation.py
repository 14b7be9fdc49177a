"""The examples of the documentation run as they stand, and its links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from transfer_core.models.head_cost import head_cost
from transfer_core.models.heads import HEADS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "transfer-model.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def blocks(text: str) -> list[str]:
    """The Python of a page, in its order."""
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_example_for_programmers_runs(pictures: Callable[..., Path], tmp_path: Path, studio_home: Path) -> None:
    """All blocks one after another, in a process and a home of their own, and without a proxy to the internet to lean on."""
    pictures()
    found = blocks(PAGE.read_text(encoding="utf-8"))
    assert len(found) > 8
    script = tmp_path / "example.py"
    script.write_text("\n".join(found), encoding="utf-8")
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    environment = os.environ | nowhere | {"PYTHONPATH": str(ROOT), "TRANSFER_STUDIO_HOME": str(studio_home)}
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "stage5" in done.stdout and (tmp_path / "shapes-model" / "model.onnx").exists()


@pytest.mark.parametrize("kind", list(HEADS))
def test_the_table_of_heads_tells_their_costs(kind: str) -> None:
    row = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{kind}` |"))
    assert f"| {head_cost(kind, 1280, 5).parameters:,} |" in row


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (page.parent / link).exists(), link
