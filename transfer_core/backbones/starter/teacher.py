"""The teacher of the starter: torchvision's MobileNetV2; on processors run by ONNX Runtime, which takes a third of torch's time."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import onnxruntime
import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v2

from transfer_core.files import digest_of

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
    """A frozen MobileNetV2."""

    features = 1280

    def __init__(self, weights: Path, device: torch.device | str = "cpu") -> None:
        """Reads the state dict: tensors only, no pickled objects."""
        state = torch.load(weights, map_location="cpu", weights_only=True)
        self.digest = digest_of(weights)
        self.classes = len(state["classifier.1.bias"])
        network = mobilenet_v2(weights=None, num_classes=self.classes)
        network.load_state_dict(state)
        self.device = torch.device(device)
        self._network = (
            _Outputs(network.features, network.classifier).eval().to(self.device).to(memory_format=torch.channels_last)
        )

    def for_batches(self, batch: int, pixels: int, threads: int) -> Callable[[Tensor], Told]:
        """What it says of normalised float32 (batch, 3, pixels, pixels): as a function for batches of this one size."""
        return self.ask if self.device.type != "cpu" else _Graph(self._network, batch, pixels, threads)

    @torch.no_grad()
    def ask(self, pictures: Tensor) -> Told:
        """What it says of normalised float32 (count, 3, height, width), by torch."""
        pooled, logits, *hints = self._network(pictures)
        return Told(pooled, logits, hints)


class _Graph:
    """The network in ONNX Runtime, for batches of one size."""

    def __init__(self, network: nn.Module, batch: int, pixels: int, threads: int) -> None:
        """Builds the graph; about 5 seconds."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Its threads would otherwise wait busily between calls, on the cores the student trains on.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        with tempfile.TemporaryDirectory() as folder:
            graph = Path(folder) / "teacher.onnx"
            # The exporter prints its steps; progress here is ours to tell.
            with contextlib.redirect_stdout(io.StringIO()):
                torch.onnx.export(
                    network, (torch.zeros(batch, 3, pixels, pixels),), graph, dynamo=True, verbose=False, external_data=False
                )
            self._session = onnxruntime.InferenceSession(graph.read_bytes(), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, pictures: Tensor) -> Told:
        outputs = self._session.run(None, {self._input: pictures.contiguous().numpy()})
        pooled, logits, *hints = [torch.from_numpy(output) for output in outputs]
        return Told(pooled, logits, hints)
