"""Who may import whom: down the list of docs/architecture.md only, torch only where it trains, and streamlit never."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "transfer_core"
ORDER = [
    "base",
    "metrics",
    "images",
    "data",
    "backbones",
    "features",
    "models",
    "training",
    "evaluation",
    "advice",
    "runs",
    "web",
    "cli",
]
# Where torch is imported as soon as the module is; whole packages, or single modules.
WITH_TORCH = (
    "transfer_core.backbones.fold",
    "transfer_core.advice.choose",
    "transfer_core.advice.doctor",
    "transfer_core.advice.measuring",
    "transfer_core.advice.opinions",
    "transfer_core.backbones.network",
    "transfer_core.backbones.state_dict",
    "transfer_core.backbones.timm_catalogue",
    "transfer_core.backbones.timm_models",
    "transfer_core.backbones.unknown",
    "transfer_core.backbones.prepare_catalogue",
    "transfer_core.backbones.starter",
    "transfer_core.features.boundary",
    "transfer_core.features.logistic",
    "transfer_core.images.augment",
    "transfer_core.images.looks",
    "transfer_core.images.preview",
    "transfer_core.models.heads",
    "transfer_core.models.transfer_model",
    "transfer_core.training",
)
# But these pages and commands draw forms and start runs with.
WITHOUT_TORCH = (
    "transfer_core.training.settings",
    "transfer_core.training.conflicts",
    "transfer_core.training.context",
    "transfer_core.training.rate_curve",
    "transfer_core.training.recipe",
    "transfer_core.training.samples",
    "transfer_core.training.setting_facts",
    "transfer_core.training.world",
)
FILES = sorted(path for path in CORE.rglob("*.py") if "_app" not in path.parts)


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def layer(module: str) -> str:
    """The package a module belongs to; what lies in transfer_core itself is base."""
    parts = module.split(".")
    is_package = len(parts) > 1 and (CORE / parts[1]).is_dir()
    return parts[1] if is_package else "base"


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Every absolute import in `file`, those inside functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports here are absolute"
            module = node.module or ""
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                is_module = (ROOT / Path(*inner.split("."))).is_dir() or (ROOT / Path(*inner.split("."))).with_suffix(
                    ".py"
                ).is_file()
                yield node.lineno, inner if is_module else module


# The front door names what lies behind it, and loads it when it is asked for.
INSIDE = [file for file in FILES if file != CORE / "__init__.py"]


@pytest.mark.parametrize("file", INSIDE, ids=module_name)
def test_imports_go_down_the_list(file: Path) -> None:
    own = layer(module_name(file))
    assert own in ORDER, f"docs/architecture.md has no place for {own}"
    for line, name in imports(file):
        top = name.partition(".")[0]
        assert top not in ("streamlit", "pages", "app"), f"{file}:{line} imports {name}"
        if top == "transfer_core":
            assert ORDER.index(layer(name)) <= ORDER.index(own), (
                f"{file}:{line}: {own} comes before {layer(name)} and may not import it"
            )


def test_the_list_is_that_of_the_architecture() -> None:
    text = " ".join((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split())
    places = [text.find(f"`{name}`", text.find("Imports go down this list")) for name in ORDER[1:]]
    assert -1 not in places and places == sorted(places)


def loaded_after(modules: list[str], *unwanted: str) -> list[str]:
    """Which of `unwanted` are there once `modules` are imported, in a process of its own."""
    code = "\n".join(
        [*(f"import {module}" for module in modules), f"import sys; print([m for m in {unwanted!r} if m in sys.modules])"]
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    found: list[str] = ast.literal_eval(result.stdout.splitlines()[-1])
    return found


def without_torch() -> list[str]:
    names = [module_name(file) for file in FILES if file.name != "__main__.py"]
    heavy = [name for name in names if any(name == entry or name.startswith(entry + ".") for entry in WITH_TORCH)]
    return [name for name in names if name not in heavy or name in WITHOUT_TORCH]


def test_torch_is_imported_only_where_it_trains() -> None:
    modules = without_torch()
    assert "transfer_core.models.predict" in modules and "transfer_core.runs.launch" in modules
    assert loaded_after(modules, "torch", "torchvision", "streamlit") == []


def test_a_quick_run_does_without_torchvision() -> None:
    """It loads for as long as torch itself, which is longer than a few pictures take from the first to the model."""
    assert loaded_after(["transfer_core.training.execute"], "torchvision", "torch._dynamo") == []


def test_predicting_imports_nothing_that_takes_long() -> None:
    modules = ["transfer_core.cli", "transfer_core.models.predict"]
    assert loaded_after(modules, "torch", "torchvision", "streamlit", "pydantic", "pandas", "onnx", "scipy") == []


@pytest.mark.skipif(not (ROOT / "pages" / "ui").is_dir(), reason="the pages are not in this checkout")
def test_the_pages_never_import_torch() -> None:
    modules = [module_name(file) for file in sorted((ROOT / "pages" / "ui").glob("*.py"))]
    assert loaded_after(modules, "torch", "torchvision") == []


@pytest.mark.parametrize("file", sorted([*ROOT.glob("pages/**/*.py"), *ROOT.glob("app.py")]), ids=lambda file: file.name)
def test_no_page_names_torch(file: Path) -> None:
    for line, name in imports(file):
        assert name.partition(".")[0] not in ("torch", "torchvision"), f"{file}:{line}"
        heavy = [entry for entry in WITH_TORCH if name == entry or name.startswith(entry + ".")]
        assert not heavy or name in WITHOUT_TORCH, f"{file}:{line} imports {name}"
