from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from transfer_core.errors import ModelError
from transfer_core.models import answer
from transfer_core.models.answer import AnswerProcess
from transfer_core.models.predict import Predictor


@pytest.fixture
def process(colour_model: Path) -> Iterator[AnswerProcess]:
    made = AnswerProcess(colour_model)
    yield made
    made.close()


@pytest.fixture
def red(coloured) -> Path:
    return coloured("ré d\n\"'.png", (200, 20, 20))


def test_it_answers_as_the_predictor_does(process: AnswerProcess, colour_model: Path, red: Path, tmp_path: Path) -> None:
    """The same answers from the other process, for pictures and for what is none, over several questions."""
    asked = [red, tmp_path / "gone.jpg", red]
    expected = list(Predictor(colour_model).predict(asked))
    for _ in range(2):
        assert process.predict(asked) == expected
    assert process.predict([]) == []


def test_killed_once_it_answers_again(process: AnswerProcess, red: Path) -> None:
    """A process that was killed between two questions costs the user nothing."""
    before = process.predict([red])
    assert process._process is not None
    process._process.kill()
    process._process.wait()
    assert process.predict([red]) == before


def test_a_process_that_keeps_dying_is_a_sentence(
    process: AnswerProcess, red: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Twice in a row is told, and the next question is a fresh start."""
    started: list[object] = []
    popen = answer.subprocess.Popen

    def dying(command: list[str], **options: object) -> object:
        started.append(command)
        return popen([sys.executable, "-c", "import sys; sys.stdin.readline()"], **options)

    with monkeypatch.context() as patch:
        patch.setattr(answer.subprocess, "Popen", dying)
        with pytest.raises(ModelError) as caught:
            process.predict([red])
        assert caught.value.code == "answers-ended" and len(started) == 2
    assert process.predict([red])[0].label == "red"


def test_a_process_that_is_dead_before_it_is_asked(process: AnswerProcess, red: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question can't even be sent: the broken pipe is a sentence as well."""
    popen = answer.subprocess.Popen

    def dead(command: list[str], **options: object) -> object:
        child = popen([sys.executable, "-c", "pass"], **options)
        child.wait()
        return child

    monkeypatch.setattr(answer.subprocess, "Popen", dead)
    with pytest.raises(ModelError) as caught:
        process.predict([red])
    assert caught.value.code == "answers-ended"


def test_a_bad_folder_is_the_models_error(tmp_path: Path, red: Path, colour_model: Path) -> None:
    """What the model's own reading says comes through, each time it is asked, and a mended folder answers."""
    process = AnswerProcess(tmp_path / "nowhere")
    for _ in range(2):
        with pytest.raises(ModelError) as caught:
            process.predict([red])
        assert caught.value.code == "not-a-model" and caught.value.fix
    process.close()
    file = colour_model / "model.json"
    good = file.read_bytes()
    file.write_bytes(b"{")
    process = AnswerProcess(colour_model)
    with pytest.raises(ModelError, match=r"model\.json"):
        process.predict([red])
    file.write_bytes(good)
    assert process.predict([red])[0].label == "red"
    process.close()


def test_closing_ends_the_process(process: AnswerProcess, red: Path) -> None:
    """No process is left behind; closing twice, or before the first question, is nothing."""
    process.close()
    process.predict([red])
    child = process._process
    assert child is not None
    process.close()
    process.close()
    assert child.poll() is not None
    assert process.predict([red])[0].label == "red"


def test_several_tabs_ask_at_once(process: AnswerProcess, coloured) -> None:
    """Each gets the answer to its own question."""
    colours = {"red": (200, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 200)}
    paths = {label: coloured(f"{label}.png", colour) for label, colour in colours.items()}
    wrong: list[str] = []

    def ask(label: str) -> None:
        for _ in range(10):
            if [each.label for each in process.predict([paths[label]] * 2)] != [label] * 2:
                wrong.append(label)

    threads = [threading.Thread(target=ask, args=(label,)) for label in colours]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
