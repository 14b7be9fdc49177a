"""Training pictures for the starter: hard crops of the free pictures in scikit-image's and scikit-learn's wheels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from transfer_core.backbones.starter.drawn import draw_picture

CROP_AREA = (0.01, 0.60)  # share of a picture's area that one crop takes
CROP_ASPECT = (0.75, 4 / 3)  # width over height of a crop
DRAWN_SHARE = 0.1  # share of crops that come from pictures drawn by formula
DRAWN_COUNT = 48  # how many pictures are drawn by formula
BLENDED_SHARE = 0.5  # share of a batch that is blended with another crop
FLAT = 8.0  # a crop with less spread of its grey values (0 to 255) shows nothing and is drawn again
TRIES = 3
TINTED_SHARE = 0.4  # share of grey crops that are given colours

_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


@dataclass(frozen=True)
class Source:
    """One picture inside an installed wheel, and the terms its package's documentation states for it."""

    package: str
    path: str
    licence: str
    author: str
    weight: int  # how often it is cropped, against the others: many kinds of things and colours, more often


def _skimage(name: str, licence: str, author: str, weight: int = 1) -> Source:
    return Source("skimage", f"data/{name}", licence, author, weight)


# Licences as scikit-image 0.26 (docstrings of `skimage.data`) and scikit-learn 1.9 (`datasets/images/README.txt`) state
# them. Left out because no free licence is stated: color, moon, motorcycle (left, right), page, the faces of lfw_subset.
# Left out because they are test patterns: chessboard, phantom, multipage.
SOURCES: tuple[Source, ...] = (
    _skimage("astronaut.png", "public domain", "NASA", 4),
    _skimage("brick.png", "CC0", "CC0Textures", 2),
    _skimage("camera.png", "CC0", "Lav Varshney", 2),
    _skimage("cell.png", "CC0", "Paul Müller and others"),
    _skimage("chelsea.png", "CC0", "Stefan van der Walt", 4),
    _skimage("clock_motion.png", "public domain", "Stefan van der Walt"),
    _skimage("coffee.png", "CC0", "Rachel Michetti", 4),
    _skimage("coins.png", "no known copyright restrictions", "Brooklyn Museum", 2),
    _skimage("grass.png", "CC0", "linolafett", 2),
    _skimage("gravel.png", "CC0", "CC0Textures", 2),
    _skimage("horse.png", "CC0", "Andreas Preuss"),
    _skimage("hubble_deep_field.jpg", "public domain", "NASA", 2),
    _skimage("ihc.png", "no known copyright restrictions", "Center for Microscopy and Molecular Imaging", 2),
    _skimage("logo.png", "BSD-3-Clause", "the scikit-image team"),
    _skimage("microaneurysms.png", "CC0", "Andreas Maier"),
    _skimage("retina.jpg", "CC0", "Mikael Häggström", 2),
    _skimage("rocket.jpg", "public domain", "SpaceX", 3),
    _skimage("text.png", "public domain", "the scikit-image team"),
    Source("sklearn", "datasets/images/china.jpg", "CC BY 2.0", "danielbuechele", 4),
    Source("sklearn", "datasets/images/flower.jpg", "CC BY 2.0", "vultilion", 4),
)


def load_pictures(seed: int) -> tuple[list[Image.Image], int, str]:
    """Every source as RGB, then the drawn ones; how many are photographs; and a SHA-256 over all their pixels."""
    pictures = []
    for source in SOURCES:
        location = files(source.package)
        with location.joinpath(*source.path.split("/")).open("rb") as file, Image.open(file) as opened:
            picture = opened.convert("RGBA")
            # Transparent parts become white, as a page would show them.
            white = Image.new("RGBA", picture.size, "white")
            pictures.append(Image.alpha_composite(white, picture).convert("RGB"))
    photographs = len(pictures)
    pictures += [draw_picture(np.random.default_rng([seed, 1, index])) for index in range(DRAWN_COUNT)]
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(picture.tobytes())
    return pictures, photographs, digest.hexdigest()


class PictureSource:
    """Batches of training pictures, each one a function of the seed and the step alone, so a resumed run repeats them."""

    def __init__(self, seed: int, *, batch: int, pixels: int, blended: bool = True) -> None:
        """Keeps about 15 MB of pictures in memory; `pixels` is the side of a training picture."""
        self.seed = seed
        self.batch = batch
        self.blended = blended
        self.pixels = pixels
        self.pictures, self.photographs, self.digest = load_pictures(seed)
        weights = np.array([source.weight for source in SOURCES])
        self.shares = weights / weights.sum()

    def __call__(self, step: int) -> Tensor:
        """The pictures of one step: float32 (batch, 3, pixels, pixels) in 0 to 1."""
        generator = np.random.default_rng([self.seed, 0, step])
        crops = np.stack([self._crop(generator) for _ in range(self.batch)])
        pictures = torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous().float().div_(255)
        pictures = change_colours(pictures, generator)
        return blend(pictures, generator).clamp_(0, 1) if self.blended else pictures

    def _crop(self, generator: np.random.Generator) -> NDArray[np.uint8]:
        """One crop, resized and perhaps mirrored: uint8 (pixels, pixels, 3)."""
        if generator.random() < DRAWN_SHARE:
            picture = self.pictures[int(generator.integers(self.photographs, len(self.pictures)))]
        else:
            picture = self.pictures[int(generator.choice(self.photographs, p=self.shares))]
        for _ in range(TRIES):
            crop = self._cut(picture, generator)
            if crop[::8, ::8].std((0, 1)).max() > FLAT:
                break
        if generator.random() < 0.5:
            crop = crop[:, ::-1]
        if generator.random() < 0.15:
            crop = crop.transpose(1, 0, 2)
        return crop

    def _cut(self, picture: Image.Image, generator: np.random.Generator) -> NDArray[np.uint8]:
        """A random rectangle of the picture, resized: uint8 (pixels, pixels, 3)."""
        # A picture of 100 pixels has nothing to show in a hundredth of its area.
        smallest = max(CROP_AREA[0], (32 / min(picture.size)) ** 2)
        area = generator.uniform(smallest, CROP_AREA[1]) * picture.width * picture.height
        aspect = np.exp(generator.uniform(*np.log(CROP_ASPECT)))
        width = min(float(np.sqrt(area * aspect)), picture.width)
        height = min(float(np.sqrt(area / aspect)), picture.height)
        left = generator.uniform(0, picture.width - width)
        top = generator.uniform(0, picture.height - height)
        side = (self.pixels, self.pixels)
        box = (left, top, left + width, top + height)
        return np.asarray(picture.resize(side, Image.Resampling.BILINEAR, box=box))


def change_colours(pictures: Tensor, generator: np.random.Generator) -> Tensor:
    """Random brightness, contrast, saturation and hue per picture, and random tints for grey ones; 0 to 1 in, near that out."""
    count = len(pictures)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.from_numpy(generator.uniform(low, high, (count, *shape)).astype(np.float32))

    # Half of the free pictures are grey: giving their darks and lights two random colours makes up for it.
    grey = (pictures.amax(1) - pictures.amin(1)).amax((1, 2)) < 0.02
    dark, light = uniform(0, 0.6, 3, 1, 1), uniform(0.4, 1, 3, 1, 1)
    tinted = dark + (light - dark) * pictures
    chosen = grey & (uniform(0, 1) < TINTED_SHARE)
    pictures = torch.where(chosen[:, None, None, None], tinted, pictures)

    matrices = torch.from_numpy(_colour_matrices(count, generator))
    pictures = torch.einsum("bij,bjhw->bihw", matrices, pictures)
    mean = pictures.mean((1, 2, 3), keepdim=True)
    contrast, brightness = uniform(0.7, 1.35, 1, 1, 1), uniform(-0.15, 0.15, 1, 1, 1)
    pictures = (pictures - mean) * contrast + mean + brightness
    return pictures.clamp(0, 1)


def _colour_matrices(count: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Matrices on RGB that turn the hue and scale the saturation in YIQ, then scale each channel: (count, 3, 3)."""
    angle = generator.normal(0, 0.15, count)
    # One in sixteen turns its colours far round, so that a colour stops being proof of a thing.
    angle = np.where(generator.random(count) < 0.0625, generator.uniform(-np.pi, np.pi, count), angle)
    saturation = generator.uniform(0.5, 1.4, count)
    turn = np.zeros((count, 3, 3))
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = saturation * np.cos(angle)
    turn[:, 1, 2], turn[:, 2, 1] = -saturation * np.sin(angle), saturation * np.sin(angle)
    channels = generator.uniform(0.85, 1.15, (count, 3, 1))
    return (channels * (np.linalg.inv(_YIQ) @ turn @ _YIQ)).astype(np.float32)


def blend(pictures: Tensor, generator: np.random.Generator) -> Tensor:
    """Blends part of the batch with shuffled others: evenly (mixup, 1710.09412) or through soft random shapes."""
    count, _, height, width = pictures.shape
    partners = pictures[torch.from_numpy(generator.permutation(count))]
    noise = torch.from_numpy(generator.standard_normal((count, 1, 5, 5)).astype(np.float32))
    shapes = functional.interpolate(noise, size=(height, width), mode="bicubic", align_corners=False)
    sharpness = np.exp(generator.uniform(np.log(0.05), np.log(30), (count, 1, 1, 1))).astype(np.float32)
    shift = generator.normal(0, 0.7, (count, 1, 1, 1)).astype(np.float32)
    # Low sharpness gives an even blend, high sharpness an outline: the other picture seems to lie on top.
    even = generator.uniform(-2, 2, (count, 1, 1, 1)).astype(np.float32)
    mask = torch.sigmoid((shapes + torch.from_numpy(shift)) * torch.from_numpy(sharpness) + torch.from_numpy(even))
    blended = torch.from_numpy(generator.random((count, 1, 1, 1)) < BLENDED_SHARE)
    return torch.where(blended, mask * pictures + (1 - mask) * partners, pictures)
