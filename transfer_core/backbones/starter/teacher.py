"""The teacher of the starter: torchvision's MobileNetV2, run by ONNX Runtime, which takes a third of torch's time."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tempfile
from pathlib import Path
from typing import NamedTuple

import onnxruntime
import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v2

# Blocks of MobileNetV2 whose outputs the student's blocks also learn, and their channels: at 1/8, 1/16 and 1/32 of the
# picture's side, the last block of its size each.
HINT_BLOCKS: dict[int, int] = {6: 32, 13: 96, 17: 320}


class Told(NamedTuple):
    """What the teacher says of a batch."""

    pooled: Tensor  # (batch, 1280)
    logits: Tensor  # (batch, classes)
    hints: list[Tensor]  # for each of HINT_BLOCKS (batch, channels, height, width)


class _Outputs(nn.Module):
    """A MobileNetV2 that gives what the student learns from."""

    def __init__(self, features: nn.Sequential, classifier: nn.Sequential) -> None:
        super().__init__()
        self.features, self.classifier = features, classifier

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Pooled features, logits, and the hints."""
        hints = []
        for number, block in enumerate(self.features):
            pictures = block(pictures)
            if number in HINT_BLOCKS:
                hints.append(pictures)
        pooled = pictures.mean((2, 3))
        return pooled, self.classifier(pooled), *hints


class Teacher:
    """A frozen MobileNetV2 for batches of one fixed size."""

    features = 1280

    def __init__(self, weights: Path, *, batch: int, pixels: int, threads: int) -> None:
        """Reads the state dict (tensors only, no pickled objects) and builds the graph; about 5 seconds."""
        state = torch.load(weights, map_location="cpu", weights_only=True)
        self.digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        self.classes = len(state["classifier.1.bias"])
        network = mobilenet_v2(weights=None, num_classes=self.classes)
        network.load_state_dict(state)
        model = _Outputs(network.features, network.classifier).eval()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Its threads would otherwise wait busily between calls, on the cores the student trains on.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        with tempfile.TemporaryDirectory() as folder:
            graph = Path(folder) / "teacher.onnx"
            # The exporter prints its steps; progress here is ours to tell.
            with contextlib.redirect_stdout(io.StringIO()):
                torch.onnx.export(
                    model, (torch.zeros(batch, 3, pixels, pixels),), graph, dynamo=True, verbose=False, external_data=False
                )
            self._session = onnxruntime.InferenceSession(graph.read_bytes(), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, pictures: Tensor) -> Told:
        """What it says of normalised float32 (batch, 3, pixels, pixels)."""
        outputs = self._session.run(None, {self._input: pictures.contiguous().numpy()})
        pooled, logits, *hints = [torch.from_numpy(output) for output in outputs]
        return Told(pooled, logits, hints)
