"""A model that is there without a press, answers what is dropped, and answers anew when the pictures are changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from transfer_core.data.edits import Edits
from transfer_core.data.project import Project
from transfer_core.runs import automatic
from transfer_core.runs.folder import list_runs

if TYPE_CHECKING:
    from tests.e2e.conftest import Visitor

pytestmark = pytest.mark.browser

TRAINING = 120_000  # milliseconds


@pytest.fixture
def wanted(shapes: Project) -> Iterator[None]:
    """Automatic models are wanted for the length of a test."""
    automatic.want(True)
    yield
    automatic.want(False)
    automatic.halt(shapes.folder)


def test_a_model_that_nobody_asked_for_follows_an_edit(
    visitor: Visitor, shapes: Project, wanted: None, eventually: Callable[..., Any]
) -> None:
    visitor.open("Data", project=shapes.folder.name)
    visitor.page.get_by_text("A quick model follows your pictures.").wait_for(timeout=TRAINING)
    assert "held-out pictures were answered rightly" in visitor.text()
    assert visitor.presses == 0 and list_runs(shapes.folder) == []
    first = automatic.model_of(shapes.folder)
    visitor.page.get_by_role("link", name="Try it").click()
    visitor.heading("Try your model")
    picture = shapes.table.samples(label="circle")[0].path
    visitor.page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(picture)
    answer = visitor.page.get_by_role("list", name="Your pictures with the model's answers").get_by_role("listitem")
    answer.get_by_text("circle", exact=True).first.wait_for()
    edits = Edits(shapes)
    edits.rename("circle", "ring")
    try:
        # The picture that was dropped stays, and the model that comes after answers it.
        answer.get_by_text("ring", exact=True).first.wait_for(timeout=TRAINING)
        newer = automatic.model_of(shapes.folder)
        assert first and newer and newer.id != first.id
    finally:
        edits.undo()
    assert visitor.presses == 1 and not visitor.foreign
