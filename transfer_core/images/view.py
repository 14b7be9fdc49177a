"""The written-down resize: one definition for training, prediction, the server and the exported file.

A picture is prepared in two steps that ONNX operators have too (Resize, linear, antialias=1, half-pixel centres):

1. the centred square of the picture's short side `s`, at `((width - s) // 2, (height - s) // 2)`: whole pixels, as Slice can cut;
2. that square resized to `resize` x `resize` with antialiased bilinear weights (Pillow's BILINEAR: a triangle
   as wide as the larger of one source and one target pixel), rounded to 8 bits after each direction. At the edge, pixels beside the
   square count where there are any, as they do when the whole picture is resized.

The network sees the central `crop` x `crop` pixels of the result. `resize - crop` is even, so that this is the same as the usual
"resize the short side, crop the centre". ONNX Runtime's Resize gives the same within a grey level or two, except in the
outermost row and column of the square, where it weighs the border in its own way; `tests/images/test_view.py` measures it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from transfer_core.images.decode import DECODE

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class View:
    """What a backbone looks at: the square of `resize` pixels a side, and the central `crop` of it."""

    crop: int
    resize: int

    def __post_init__(self) -> None:
        if not 0 < self.crop <= self.resize or (self.resize - self.crop) % 2:
            raise ValueError(f"resize must be crop plus an even number, got crop {self.crop} and resize {self.resize}")

    @property
    def key(self) -> str:
        """What pixels prepared for this view depend on: part of every cache key."""
        return f"{DECODE}-square{self.resize}"

    @property
    def centre(self) -> slice:
        """The rows, and the columns, of the crop inside the square."""
        start = (self.resize - self.crop) // 2
        return slice(start, start + self.crop)

    def square(self, image: Image.Image) -> Pixels:
        """The picture's centred square, uint8 `[resize, resize, 3]`, from an RGB image."""
        width, height = image.size
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        box = (left, top, left + side, top + side)
        return np.asarray(image.resize((self.resize, self.resize), Image.Resampling.BILINEAR, box=box))

    def cut(self, squares: Pixels) -> Pixels:
        """The central crop of `[..., resize, resize, 3]`: `[..., crop, crop, 3]`, contiguous."""
        return np.ascontiguousarray(squares[..., self.centre, self.centre, :])
