"""Damaged images of every format, read as training, inference and `doctor` read them."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from attacks import attack
from attacks.damage import drawn, scrambled
from toolbox.inference.frames import read_frames
from toolbox.inference.header import read_header
from toolbox.inference.picture import read_picture
from toolbox.io.errors import UserError
from toolbox.io.images import image_size, read_image


@cache
def images() -> dict[str, bytes]:
    """Whole files of every format and of the modes that are decoded differently."""
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.integers(0, 256, (5, 6, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    rgb, gray = Image.fromarray(smooth), Image.fromarray(smooth[..., 0])
    deep = Image.fromarray(smooth[..., 0].astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112], exif[0x0132] = 6, "2001:01:01 00:00:00"
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "a title")
    texts.add_text("Comment", "long " * 50, zip=True)
    texts.add_itxt("XML:com.adobe.xmp", "<x/>", zip=True)
    film: dict[str, Any] = {"save_all": True, "append_images": [rgb.rotate(90), rgb.rotate(180)], "duration": 40}
    made: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "png": (rgb, "PNG", {"exif": exif}),
        "palette.png": (rgb.quantize(16), "PNG", {"transparency": 3}),
        "alpha.png": (rgb.convert("RGBA"), "PNG", {}),
        "gray.png": (gray, "PNG", {}),
        "deep.png": (deep, "PNG", {}),
        "texts.png": (rgb, "PNG", {"pnginfo": texts, "icc_profile": b"\0\0\0\x80" + b"x" * 124}),
        "film.png": (rgb, "PNG", film),
        "jpg": (rgb, "JPEG", {"exif": exif, "quality": 90}),
        "progressive.jpg": (rgb, "JPEG", {"progressive": True, "comment": b"said"}),
        "cmyk.jpg": (rgb.convert("CMYK"), "JPEG", {}),
        "webp": (rgb, "WEBP", {"exif": exif}),
        "lossless.webp": (rgb.convert("RGBA"), "WEBP", {"lossless": True}),
        "film.webp": (rgb, "WEBP", film),
        "bmp": (rgb, "BMP", {}),
        "palette.bmp": (rgb.quantize(16), "BMP", {}),
        "tif": (rgb, "TIFF", {"exif": exif}),
        "lzw.tif": (rgb, "TIFF", {"compression": "tiff_lzw"}),
        "jpeg.tif": (rgb, "TIFF", {"compression": "jpeg"}),
        "deep.tif": (deep, "TIFF", {"compression": "tiff_deflate"}),
        "pages.tif": (rgb, "TIFF", {key: film[key] for key in ("save_all", "append_images")}),
        "gif": (rgb.quantize(16), "GIF", {}),
        "film.gif": (rgb.quantize(16), "GIF", {**film, "transparency": 2, "loop": 0}),
        "jp2": (rgb, "JPEG2000", {}),
        "tga": (rgb.convert("RGBA"), "TGA", {"compression": "tga_rle"}),
        "pcx": (rgb, "PCX", {}),
        "ico": (rgb, "ICO", {"sizes": [(16, 16), (32, 32)]}),
        "dds": (rgb.convert("RGBA"), "DDS", {}),
        "sgi": (rgb, "SGI", {}),
        "ppm": (rgb, "PPM", {}),
        "deep.pgm": (deep, "PPM", {}),
        "pfm": (Image.fromarray(smooth[..., 0].astype(np.float32)), "PPM", {}),
    }
    files = {}
    for name, (image, kind, options) in made.items():
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        files[name] = buffer.getvalue()
    files["colour.tif"] = _by_tifffile(smooth.astype(np.uint16) * 257)
    files["floats.tif"] = _by_tifffile(smooth.astype(np.float32) / 255)
    return files


def _by_tifffile(array: np.ndarray) -> bytes:
    import tifffile

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, photometric="rgb", compression="zlib")
    return buffer.getvalue()


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
HEADERS = [
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"BM", b"II*\0", b"MM\0*", b"GIF89a",
    b"P6\n9 9\n255\n", EPS,
]  # fmt: skip
BYTES = [b"\x00", b"\xff", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xd9", b"IEND", b"\x00" * 40, *HEADERS]


def damaged(name: str, header: bytes | str | None, early: bool, changes: Any) -> bytes:
    """A whole image, perhaps under another's header, damaged; `early`: in its first 100 bytes, where sizes stand."""
    content = images()[name]
    if header is not None:
        start = images()[header][:64] if isinstance(header, str) else header
        content = start + content[len(start) :]
    head = 100 if early else len(content)
    return scrambled(content[:head], changes, BYTES) + content[head:]


def drawn_image(draw: Random, folder: Path) -> tuple[Path, str]:
    """Write a damaged image; returns the file, and the name of the whole one that it was, or "" under a foreign header.

    Of every third, bits alone are flipped.
    """
    name = draw.choice(sorted(images()))
    file = folder / f"x.{name.rpartition('.')[2]}"
    if draw.random() < 1 / 3:
        file.write_bytes(scrambled(images()[name], drawn(draw, ["flip"]), BYTES))
        return file, name
    header = draw.choice([*HEADERS, *sorted(images())]) if draw.random() < 0.5 else None
    file.write_bytes(damaged(name, header, draw.random() < 0.5, drawn(draw)))
    return file, name if header is None else ""


def everything_in(file: Path) -> list[np.ndarray]:
    """All pixels of a file, as inference reads them."""
    header = read_header(file)
    if header.frames == 1:
        return [read_picture(file).array]
    return [each.array for each in read_frames(file).pictures]


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    """Whether two lists of arrays are equal."""
    return len(one) == len(other) and all(
        a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        for a, b in zip(one, other, strict=True)
    )


class Attack(attack.Attack):
    """Each file is read in every way; where one refuses it, all that follow are still tried."""

    WAYS = (lambda file: [read_image(file)], lambda file: [np.array(image_size(file))], everything_in)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.whole: dict[tuple[str, int], list[np.ndarray]] = {}
        for name, content in images().items():
            file = folder / f"whole.{name.rpartition('.')[2]}"
            file.write_bytes(content)
            for way, read in enumerate(self.WAYS):
                try:
                    self.whole[name, way] = read(file)
                except UserError:  # 16 bits, for training
                    continue

    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        file, name = drawn_image(draw, folder)
        refusals: list[UserError] = []
        right = True
        for way, read in enumerate(self.WAYS):
            try:
                found = read(file)
                right = right and (name, way) in self.whole and same(found, self.whole[name, way])
            except UserError as error:
                assert str(file) in str(error), f"does not name the file: {error}"
                refusals.append(error)
        if refusals:
            raise max(refusals, key=lambda error: attack.problem_of_line(str(error)) or "")
        return right
