from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import textwrap
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from transfer_core.errors import ImageError
from transfer_core.images import decode
from transfer_core.images.decode import inspect, open_rgb
from transfer_core.images.view import View

# Pillow remarks on what is damaged on purpose here.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

RED, GREEN, BLUE, WHITE = (220, 30, 40), (30, 180, 60), (40, 60, 200), (255, 255, 255)


def quarters(size: tuple[int, int] = (60, 40)) -> Image.Image:
    """Red, green over blue, white: no turn and no mirror leaves it as it is."""
    image = Image.new("RGB", size, WHITE)
    width, height = size[0] // 2, size[1] // 2
    image.paste(RED, (0, 0, width, height))
    image.paste(GREEN, (width, 0, size[0], height))
    image.paste(BLUE, (0, height, width, size[1]))
    return image


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """The colours a quarter of the way in: top left, top right, bottom left, bottom right."""
    width, height = image.size
    places = [
        (width // 4, height // 4),
        (3 * width // 4, height // 4),
        (width // 4, 3 * height // 4),
        (3 * width // 4, 3 * height // 4),
    ]
    return [image.getpixel(place) for place in places]


def assert_quarters(image: Image.Image, within: int = 0) -> None:
    assert image.mode == "RGB"
    assert np.abs(np.subtract(corners(image), [RED, GREEN, BLUE, WHITE])).max() <= within


def png(width: int, height: int, depth: int, colour: int, data: bytes) -> bytes:
    """A PNG from its compressed rows, valid down to its checksums."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def oriented(number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


# How a camera held that way stores the scene; viewing undoes it.
STORED: dict[int, Callable[[Image.Image], Image.Image]] = {
    1: lambda scene: scene,
    2: lambda scene: scene.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda scene: scene.transpose(Image.Transpose.ROTATE_180),
    4: lambda scene: scene.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda scene: scene.transpose(Image.Transpose.TRANSPOSE),
    6: lambda scene: scene.transpose(Image.Transpose.ROTATE_90),
    7: lambda scene: scene.transpose(Image.Transpose.TRANSVERSE),
    8: lambda scene: scene.transpose(Image.Transpose.ROTATE_270),
}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("number", range(1, 9))
def test_every_orientation_is_shown_upright(number: int, format: str) -> None:
    """A phone held in any way gives the same picture, and the table the size it is shown at."""
    lossless = {"quality": 95, "subsampling": 0} if format == "JPEG" else {"lossless": True} if format == "WEBP" else {}
    data = encoded(STORED[number](quarters()), format, exif=oriented(number), **lossless)
    image = open_rgb(data)
    assert image.size == (60, 40)
    assert_quarters(image, within=4 if format == "JPEG" else 0)
    header = inspect(data, "a")
    assert (header.width, header.height, header.format) == (60, 40, format)


@pytest.mark.parametrize("number", [3, 6])
def test_orientation_survives_the_ways_to_rgb(number: int) -> None:
    """Transparency and 16 bits are converted before the picture is turned; the turn must not get lost on the way."""
    scene = STORED[number](quarters()).convert("RGBA")
    assert_quarters(open_rgb(encoded(scene, "PNG", exif=oriented(number))))
    grey = Image.fromarray(np.asarray(STORED[number](quarters()).convert("L")).astype(np.uint16) * 257)
    expected = np.asarray(quarters().convert("L"))
    for format in ("PNG", "TIFF"):
        assert np.array_equal(np.asarray(open_rgb(encoded(grey, format, exif=oriented(number))))[..., 0], expected), format


def test_a_nonsense_orientation_is_none() -> None:
    """Broken cameras write 0 or 99: the picture stays as it is stored."""
    for number in (0, 9, 99):
        assert_quarters(open_rgb(encoded(quarters(), "PNG", exif=oriented(number))))


def test_damaged_camera_notes_do_not_spoil_a_picture() -> None:
    """EXIF that can't be read costs the turn, not the picture; notes with the turn in another way are understood."""
    notes = oriented(6).tobytes()
    for damaged in (b"Exif\0\0nothing", notes[:-9], notes[:10] + b"\xff" * 20):
        for format in ("JPEG", "PNG", "WEBP"):
            data = encoded(quarters(), format, exif=damaged, dpi=(72, 72))
            assert open_rgb(data).size in ((60, 40), (40, 60))
            assert inspect(data, "a").format == format
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    turned = encoded(STORED[6](quarters()), "JPEG", quality=95, subsampling=0, xmp=xmp)
    assert_quarters(open_rgb(turned), within=4)
    assert inspect(turned, "a").width == 60


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "TIFF", "WEBP"])
def test_formats_that_lose_nothing_give_their_pixels(format: str) -> None:
    """Each format on the list comes out as it went in."""
    data = encoded(quarters(), format, **({"lossless": True} if format == "WEBP" else {}))
    image = open_rgb(data)
    assert image.size == (60, 40)
    assert_quarters(image)


@pytest.mark.parametrize("format, options", [("JPEG", {}), ("JPEG", {"progressive": True}), ("MPO", {})])
def test_jpeg_and_its_kinds(format: str, options: dict[str, Any]) -> None:
    """Baseline, progressive, and the multi-picture files of phones and 3D cameras (first picture)."""
    if format == "MPO":
        options = {"save_all": True, "append_images": [Image.new("RGB", (60, 40), "black")]}
    data = encoded(quarters(), format, quality=95, subsampling=0, **options)
    assert_quarters(open_rgb(data), within=4)
    assert inspect(data, "a").format in ("JPEG", "MPO")


def test_cmyk_jpeg_has_its_colours() -> None:
    """A print shop's JPEG shows the colours it stands for, not their negative."""
    data = encoded(quarters().convert("CMYK"), "JPEG", quality=95, subsampling=0)
    with Image.open(io.BytesIO(data)) as stored:
        assert stored.mode == "CMYK"
    assert_quarters(open_rgb(data), within=6)


def test_sixteen_bit_grey_is_scaled() -> None:
    """All of 0..65535 maps onto 0..255: not clipped to white, not its low byte."""
    values = np.array([[0, 129, 32768, 65278, 65535]], np.uint16).repeat(4, 0)
    for format in ("PNG", "TIFF"):
        pixels = np.asarray(open_rgb(encoded(Image.fromarray(values), format)))
        assert pixels[0, :, 0].tolist() == [0, 1, 128, 254, 255]
        assert (pixels == pixels[..., :1]).all()


def test_sixteen_bit_rgb_is_scaled() -> None:
    """16 bits a channel, as scanners write them."""
    rows = np.zeros((8, 8, 3), ">u2")
    rows[:4], rows[4:] = (65535, 32768, 257), (0, 40000, 65278)
    data = png(8, 8, 16, 2, zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)))
    pixels = np.asarray(open_rgb(data)).astype(int)
    assert np.abs(pixels[0, 0] - (255, 128, 1)).max() <= 1
    assert np.abs(pixels[7, 7] - (0, 156, 254)).max() <= 1
    assert inspect(data, "a").mode == "RGB;16", "and it is told"
    assert inspect(encoded(quarters(), "PNG"), "a").mode == inspect(encoded(quarters(), "TIFF"), "a").mode == "RGB"


def test_transparency_lies_on_white() -> None:
    """What can't be seen is white, whichever way the file says so, and half of it is half."""
    scene = quarters().convert("RGBA")
    hidden = scene.copy()
    hidden.paste((0, 0, 0, 0), (30, 20, 60, 40))  # the white quarter, black underneath
    assert_quarters(open_rgb(encoded(hidden, "PNG")))
    assert_quarters(open_rgb(encoded(hidden, "WEBP", lossless=True)))
    grey = open_rgb(encoded(Image.merge("LA", (Image.new("L", (8, 8), 100), Image.new("L", (8, 8), 128))), "PNG"))
    assert grey.mode == "RGB"
    assert np.abs(np.asarray(grey).astype(int) - (100 * 128 + 255 * 127) // 255).max() <= 1
    palette = Image.new("P", (8, 8))
    palette.putpalette([0, 0, 0, 200, 10, 10])
    palette.paste(1, (4, 0, 8, 8))
    shown = open_rgb(encoded(palette, "PNG", transparency=0))
    assert shown.getpixel((0, 0)) == WHITE and shown.getpixel((7, 0)) == (200, 10, 10)
    keyed = Image.new("RGB", (8, 8), (1, 2, 3))
    assert open_rgb(encoded(keyed, "PNG", transparency=(1, 2, 3))).getpixel((0, 0)) == WHITE


def test_an_animation_is_its_first_frame() -> None:
    """Animated GIF, WebP and PNG show what they begin with."""
    frames = [Image.new("RGB", (60, 40), "black"), Image.new("RGB", (60, 40), "yellow")]
    assert_quarters(open_rgb(encoded(quarters(), "GIF", save_all=True, append_images=frames)))
    assert_quarters(open_rgb(encoded(quarters(), "WEBP", save_all=True, append_images=frames, lossless=True)))
    assert_quarters(open_rgb(encoded(quarters(), "PNG", save_all=True, append_images=frames)))
    assert_quarters(open_rgb(encoded(quarters(), "TIFF", save_all=True, append_images=frames)))


def test_one_bit_and_palette() -> None:
    """Black and white stay so, and a palette gives its colours."""
    sketch = Image.new("1", (9, 5), 1)
    sketch.putpixel((0, 0), 0)
    for format in ("PNG", "BMP", "TIFF", "GIF"):
        image = open_rgb(encoded(sketch, format))
        assert image.getpixel((0, 0)) == (0, 0, 0) and image.getpixel((8, 4)) == WHITE
    assert_quarters(open_rgb(encoded(quarters().quantize(8), "PNG")))


def test_a_picture_of_one_pixel() -> None:
    """The smallest picture is one."""
    image = open_rgb(encoded(Image.new("RGB", (1, 1), RED), "PNG"), need=224)
    assert View(8, 8).square(image).shape == (8, 8, 3)


def good_jpeg() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return encoded(Image.fromarray(noise), "JPEG")


BROKEN: dict[str, tuple[bytes, str]] = {
    "text.jpg": (b"This is not a picture at all, whatever its name says.\n" * 40, "not-a-picture"),
    "empty.jpg": (b"", "not-a-picture"),
    "cut.jpg": (good_jpeg()[:2000], "broken"),
    "header only.jpg": (good_jpeg()[:30], "broken"),
    "cut.png": (
        encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)), "PNG")[:3000],
        "broken",
    ),
    "cut.gif": (encoded(quarters((300, 200)), "GIF")[:300], "broken"),
    "cut.webp": (encoded(quarters((300, 200)), "WEBP")[:120], "broken"),
    "cut.bmp": (encoded(quarters(), "BMP")[:2000], "broken"),
    "cut.tif": (encoded(quarters(), "TIFF")[:2000], "broken"),
    "lies about its rows.png": (png(60, 40, 8, 2, zlib.compress(b"\0" * 100)), "broken"),
    "page.html.jpg": (b"<!DOCTYPE html><html><script>alert(1)</script></html>", "not-a-picture"),
    "vector.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n", "not-a-picture"),
    "floats.tif": (encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), "broken"),
    "large values.tif": (encoded(Image.fromarray(np.full((4, 4), 70000, np.int32)), "TIFF"), "broken"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_a_sentence(name: str, tmp_path: Path) -> None:
    """Whatever lies in the file, the answer is an ImageError that names it, from the path and from bytes alike."""
    content, code = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    for source, shown in ((tmp_path / name, str(tmp_path / name)), (content, name)):
        with pytest.raises(ImageError) as caught:
            open_rgb(source, need=32, name=None if isinstance(source, Path) else name)
        assert caught.value.file == shown and shown in caught.value.message
        assert caught.value.code == code


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_damaged_bytes_never_crash(format: str, seed: int) -> None:
    """Flipped bytes anywhere give a picture or an ImageError, never another exception."""
    generator = np.random.default_rng(seed)
    whole = bytearray(encoded(quarters(), format))
    for _attempt in range(40):
        data = bytearray(whole)
        for place in generator.integers(4, len(data), 6):
            data[place] = generator.integers(256)
        for read in (lambda content: open_rgb(content, need=16), lambda content: inspect(content, "a")):
            try:
                read(bytes(data))
            except ImageError as error:
                assert error.message


def test_what_is_not_a_file_is_a_sentence(tmp_path: Path) -> None:
    """A missing file and a folder named like a picture."""
    with pytest.raises(ImageError) as caught:
        open_rgb(tmp_path / "gone.jpg")
    assert caught.value.code == "missing"
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(ImageError):
        open_rgb(tmp_path / "folder.jpg")
    with pytest.raises(ImageError):
        open_rgb(tmp_path / ("x" * 300 + ".jpg"))


@pytest.mark.parametrize("depth, colour", [(1, 0), (8, 2)])
def test_a_decompression_bomb_is_refused_from_its_header(tmp_path: Path, depth: int, colour: int) -> None:
    """900 million pixels in a small file cost neither time nor memory: only the header is read."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + 30_000 * depth * (3 if colour == 2 else 1) // 8)
    data = b"".join(packer.compress(row) for _ in range(30_000 if depth == 1 else 300)) + packer.flush()
    file = tmp_path / "bomb.png"
    file.write_bytes(png(30_000, 30_000, depth, colour, data))
    code = textwrap.dedent(
        """
        import resource, sys, time
        from pathlib import Path
        from transfer_core.errors import ImageError
        from transfer_core.images.decode import inspect, open_rgb
        path, codes = Path(sys.argv[1]), []
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        for read in (lambda: open_rgb(path, need=224), lambda: open_rgb(path), lambda: inspect(path.read_bytes(), "bomb")):
            try:
                read()
            except ImageError as error:
                codes.append(error.code)
        print(*codes, time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        """
    )
    told = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True).stdout.split()
    assert told[:3] == ["too-large"] * 3
    assert float(told[3]) < 1
    assert int(told[4]) < 40_000  # KB


def test_the_limit_is_the_same_at_every_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that the table refuses is not let in elsewhere because a smaller decode of it would do."""
    monkeypatch.setattr(decode, "MAX_JPEG_PIXELS", 600 * 400 - 1)
    data = encoded(quarters((600, 400)), "JPEG")
    for read in (lambda: open_rgb(data), lambda: open_rgb(data, need=32), lambda: inspect(data, "a")):
        with pytest.raises(ImageError) as caught:
            read()
        assert caught.value.code == "too-large"
    monkeypatch.setattr(decode, "MAX_JPEG_PIXELS", 600 * 400)
    assert open_rgb(data).size == (600, 400)


def smooth(width: int, height: int) -> Image.Image:
    """Something like a photograph: slopes and edges, no noise at the pixel scale."""
    y, x = np.mgrid[:height, :width]
    channels = [127 + 80 * np.sin(x / 97 + k) + 40 * np.cos(y / (61 + 9 * k)) + 8 * ((x // 160 + y // 160) % 2) for k in range(3)]
    return Image.fromarray(np.stack(channels, -1).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("size", [(1600, 1200), (1100, 2100)])
def test_a_scaled_decode_gives_nearly_the_same_square(size: tuple[int, int]) -> None:
    """The short way for large JPEGs is faster and shows the network the same picture."""
    view = View(112, 128)
    data = encoded(smooth(*size), "JPEG", quality=92)
    whole, scaled = open_rgb(data), open_rgb(data, need=view.resize)
    assert min(scaled.size) < min(whole.size) and min(scaled.size) >= 2 * view.resize
    difference = np.abs(view.square(whole).astype(int) - view.square(scaled))
    assert difference.mean() < 1 and np.quantile(difference, 0.99) <= 3


def test_a_scaled_decode_is_only_for_what_is_large() -> None:
    """Below four times the need, a JPEG is decoded in full; other formats always are."""
    assert open_rgb(encoded(smooth(511, 600), "JPEG"), need=128).size == (511, 600)
    assert open_rgb(encoded(smooth(512, 600), "JPEG"), need=128).size == (256, 300)
    assert open_rgb(encoded(smooth(600, 600), "PNG"), need=64).size == (600, 600)


def test_inspecting_does_not_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan of thousands of pictures reads headers: no pixels, whatever the format."""

    def load(self: Image.Image) -> None:
        raise AssertionError("decoded")

    files = {format: encoded(quarters(), format) for format in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")}
    for kind in {type(Image.open(io.BytesIO(data))) for data in files.values()}:
        monkeypatch.setattr(kind, "load", load)
    for format, data in files.items():
        header = inspect(data, "a")
        assert (header.width, header.height, header.format) == (60, 40, format)


def test_a_file_that_may_not_be_read_is_a_sentence(tmp_path: Path) -> None:
    """No permission is told as such."""
    if os.name == "nt" or os.geteuid() == 0:
        pytest.skip("root may read everything")
    file = tmp_path / "a.png"
    file.write_bytes(encoded(quarters(), "PNG"))
    file.chmod(0)
    with pytest.raises(ImageError) as caught:
        open_rgb(file)
    assert caught.value.code == "unreadable"


def test_real_photographs_decode_quickly_enough(shared: Path) -> None:
    """Real files of many cameras come in, and the scaled decode pays."""
    files = sorted((shared / "photos").glob("*.jpg"))[:12]
    if not files:
        pytest.skip("there are no photographs among the real pictures")
    start = time.process_time()
    for file in files:
        image = open_rgb(file, need=32)
        assert image.mode == "RGB"
        header = inspect(file.read_bytes(), file.name)
        assert abs(header.width / header.height - image.width / image.height) < 0.05
    assert time.process_time() - start < 5


@pytest.mark.skipif("AVIF" not in decode.FORMATS, reason="this Pillow was built without AVIF")
def test_avif_comes_in_by_the_same_door(tmp_path: Path) -> None:
    """Upright, on white, first frame only, capped, and a sentence for what is broken."""
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = encoded(quarters((600, 400)), "AVIF", quality=95)
    assert_quarters(open_rgb(plain), within=12)
    assert inspect(plain, "x").format == "AVIF"
    turned = encoded(quarters((600, 400)).transpose(Image.Transpose.ROTATE_90), "AVIF", quality=95, exif=exif)
    assert_quarters(open_rgb(turned), within=12)
    assert (inspect(turned, "x").width, inspect(turned, "x").height) == (600, 400)
    clear = quarters().convert("RGBA")
    clear.putalpha(0)
    assert open_rgb(encoded(clear, "AVIF")).getpixel((5, 5)) == (255, 255, 255)
    moving = encoded(quarters((600, 400)), "AVIF", quality=95, save_all=True, append_images=[Image.new("RGB", (600, 400))])
    assert_quarters(open_rgb(moving), within=12)
    assert inspect(moving, "x").animated
    for length in (10, 100, len(plain) // 2, len(plain) - 5):
        with pytest.raises(ImageError):
            open_rgb(plain[:length])


def test_avif_is_capped_before_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size in the header decides."""
    if "AVIF" not in decode.FORMATS:
        pytest.skip("this Pillow was built without AVIF")
    data = encoded(quarters((600, 400)), "AVIF")
    monkeypatch.setattr(decode, "MAX_PIXELS", 600 * 400 - 1)
    for door in (open_rgb, lambda data: inspect(data, "x")):
        with pytest.raises(ImageError) as caught:
            door(data)
        assert caught.value.code == "too-large"


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"msf1"])
def test_a_phones_picture_is_told_as_one(brand: bytes, tmp_path: Path) -> None:
    """HEIC by its content, also where it is called .jpg, with what to do about it."""
    file = tmp_path / "IMG_0001.jpg"
    file.write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(40))
    for source in (file, file.read_bytes()):
        with pytest.raises(ImageError) as caught:
            open_rgb(source)
        assert caught.value.code == "heic" and "Most Compatible" in (caught.value.fix or "")
