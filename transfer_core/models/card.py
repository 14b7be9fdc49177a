"""The model card: what a stranger needs to know before trusting a model."""

from __future__ import annotations

from typing import Any


def model_card(data: dict[str, Any]) -> str:
    """`README.md` of a model, in Markdown, from the content of `model.json`. Names are data: set as code, never as markup."""
    classes = ", ".join(_code(name) for name in data["classes"])
    provenance, crop = data["provenance"], data["preprocessing"]["crop"]
    lines = [
        "# An image classifier",
        "",
        f"Answers with one of {len(data['classes'])} classes: {classes}.",
        "",
        "## How good it is",
        "",
        _score("On pictures kept aside from training (test)", data["scores"].get("test")),
        _score("On pictures held out while training (validation)", data["scores"].get("val")),
        "",
        "The range is the 95 % interval (Wilson): were the measurement repeated on other pictures of the same kind, the true share",
        "lies in it 95 times in 100. Pictures of another kind, camera or light can give other results.",
        "",
        "## How it was made",
        "",
        f"* Backbone: {_code(data['backbone']['name'])}, parameters {_code(data['backbone']['digest'][:16])}",
        f"* Plan: {_code(provenance.get('plan', ''))}, {provenance.get('images', 0)} pictures learnt from",
        f"* Confidence: softmax at temperature {data['calibration']['temperature']:.3g}, fitted on held-out answers",
        f'* Refusal: a picture whose novelty is above {data["refusal"]["threshold"]:.4g} is answered with "none of these"; '
        f"of pictures like those learnt, about {data['refusal']['refused']:.0%} are refused",
        "",
        "## How to use it",
        "",
        "    transfer-studio predict THIS_FOLDER PICTURE...",
        "",
        f"`model.onnx` takes `pixels`, uint8 `[n, {crop}, {crop}, 3]` in RGB, upright, and gives `probabilities` and `novelty`.",
        f"To prepare a picture: cut the centred square of its short side, resize it to {data['preprocessing']['resize']} pixels",
        f"(antialiased bilinear), take the central {crop}.",
        "",
    ]
    return "\n".join(line for line in lines if line is not None)


def _code(text: object) -> str:
    return "`" + str(text).replace("`", "'").replace("\n", " ") + "`"


def _score(title: str, score: dict[str, Any] | None) -> str | None:
    if not score:
        return None
    return f"* {title}: {score['accuracy']:.1%} right ({score['low']:.1%} to {score['high']:.1%}) of {score['count']}"
