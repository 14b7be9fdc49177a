"""One pass of the frozen backbone over prepared pictures, kept on disk by content."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from transfer_core.backbones.catalogue import file_name
from transfer_core.images.pixels import PixelMap
from transfer_core.images.view import Pixels, View
from transfer_core.rows import RowStore

Features = NDArray[np.float32]

BATCH = 16  # pictures at once, on all cores together: keeps MobileNetV2 near 150 MB
# Pictures that one core takes through the network at a time. Their activations stay in its cache, and it waits for no other core after
# each layer: three quarters of the time that 16 pictures on two cores take, and the same bits.
SIDE_BY_SIDE = 2
KEEP_EVERY = 512


class Forward(Protocol):
    """Anything that maps prepared pixels uint8 `[n, crop, crop, 3]` to features float32 `[n, width]`."""

    def __call__(self, pixels: Pixels) -> Features: ...


def session(graph: Path | bytes, threads: int) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on `threads` processor cores, saying nothing but errors."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Asleep and not awake while they wait for each other: half the time on a computer that does something else too.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


class GraphForward:
    """The frozen backbone's graph in ONNX Runtime, a few pictures on each core: what every frozen pass on processors runs."""

    def __init__(self, graph: Path | bytes, threads: int):
        self._graph = graph
        workers = min(threads, BATCH // SIDE_BY_SIDE)
        self._threads = threads // workers
        self._workers = ThreadPoolExecutor(workers, "forward")
        self._loading = threading.Lock()
        self._session: onnxruntime.InferenceSession | None = None

    def load(self) -> onnxruntime.InferenceSession:
        """Load the graph unless it is loaded: on first use, or ahead of it from another thread."""
        with self._loading:
            if self._session is None:
                self._session = session(self._graph, self._threads)
            return self._session

    def __call__(self, pixels: Pixels) -> Features:
        parts = [pixels[first : first + SIDE_BY_SIDE] for first in range(0, len(pixels), SIDE_BY_SIDE)]
        return np.concatenate(list(self._workers.map(self._run, parts)))

    def _run(self, part: Pixels) -> Features:
        return np.asarray(self.load().run(None, {"pixels": part})[0])


class FeatureStore(RowStore):
    """Pooled features float32 `[N, width]` of one backbone, its weights and one view. Disk: 5 KB a picture at 1280 features."""

    def __init__(self, folder: Path, backbone: str, digest: str, view: View, width: int):
        super().__init__(folder / f"{file_name(backbone)}-{digest[:16]}-{view.key}-crop{view.crop}", (width,), np.float32)


def extract(
    forward: Forward,
    pixels: PixelMap,
    store: FeatureStore,
    contents: Sequence[str],
    progress: Callable[[int, int], None] | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> None:
    """Compute and keep the features of `contents` that `store` lacks; `checkpoint()` is called every batch and may raise to stop."""
    with store.lock():
        store.refresh()
        todo = store.missing(contents)
        done: list[Features] = []
        for start in range(0, len(todo), BATCH):
            if checkpoint:
                checkpoint()
            batch = todo[start : start + BATCH]
            done.append(forward(central(pixels, batch)))
            last = start + len(batch)
            if last == len(todo) or last % KEEP_EVERY == 0:
                rows = np.concatenate(done)
                store.append(todo[last - len(rows) : last], rows)
                done = []
            if progress:
                progress(last, len(todo))


def central(pixels: PixelMap, contents: Sequence[str]) -> Pixels:
    """The crops `[n, crop, crop, 3]` that the network sees of these pictures."""
    squares: Any = np.asarray(pixels.rows())
    centre = pixels.view.centre
    # Picture by picture, so that each pixel is copied once: picking the squares first would copy them twice.
    return np.stack([squares[position, centre, centre] for position in pixels.positions(contents)])
