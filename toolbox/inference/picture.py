"""Pictures as files hold them: 8 or 16 bits or floats, any number of channels, transparency, ICC, EXIF, place on Earth.

Training reads with `toolbox.io.images`, 8-bit RGB alone; inference keeps what a file has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from toolbox.inference.deep import declared_depth, png_bits, read_deep
from toolbox.inference.exif import dpi_of, exif_of, tiff_dpi, upright
from toolbox.inference.metadata import NOTHING, Metadata, read_metadata
from toolbox.inference.modes import palette_of, plain_pixels
from toolbox.inference.tiff import MOST_FRAMES, directories, pillow_pages, pillow_reads, read_page
from toolbox.io.errors import UserError
from toolbox.io.files import open_regular
from toolbox.io.images import MAX_PIXELS, endless, naming, open_safely, problem_of

FRAMES = ("GIF", "PNG", "WEBP", "AVIF", "TIFF", "FLI", "DCX")
"""Formats whose frames and pages are of equal standing. Others hold previews, sizes or layers beside the picture."""
RAISE = "; --max-pixels N allows more"
_DDS_KINDS = {0x200: "a cube map", 0x200000: "a volume"}
"""Of DDS's second word of capabilities."""
_TEXT_TAGS = (269, 270, 271, 272, 305, 306, 315, 33432)  # title, description, camera, program, time, artist, rights
GEO_TAGS = {33550: "d", 33922: "d", 34264: "d", 34735: "H", 34736: "d", 34737: "s", 42112: "s", 42113: "s"}
"""GeoTIFF: pixel size, tie points, transformation, keys and their values; GDAL's metadata and no-data value."""

NO_DATA = 42113


@dataclass(frozen=True)
class Picture:
    """Pixels (H, W, C) of type uint8, uint16 or float32 (nominally in [0, 1]), and what the file says of them.

    `alpha`: the last channel is transparency, not multiplied into the colours. EXIF's orientation is applied to the
    pixels and reset; the ICC profile is kept byte for byte; `geo` holds a GeoTIFF's tags, `about` what else the file
    says. `associated`: the file had transparency multiplied in; `bilevel`: it was of one bit. `palette`: the colours
    (N, 3 or 4) uint8 of a file that numbers them. `name` is what messages call the picture, and `notes` what was found
    while reading that a user should know.
    """

    array: np.ndarray
    alpha: bool = False
    icc_profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    geo: dict[int, Any] = field(default_factory=dict)
    about: Metadata = NOTHING
    associated: bool = False
    palette: np.ndarray | None = None
    bilevel: bool = False
    name: str = ""
    notes: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes of the pixels."""
        return self.array.nbytes

    @property
    def nodata(self) -> float | None:
        """The value that GDAL declares to stand for no data, or None."""
        try:
            return float(str(self.geo.get(NO_DATA, "")).strip("\0 "))
        except ValueError:
            return None

    @property
    def colours(self) -> int:
        """Channels without transparency."""
        return self.array.shape[2] - self.alpha

    def with_pixels(self, array: np.ndarray, *, alpha: bool) -> Picture:
        """Other pixels of the same scene: a profile that does not fit their colours is left out, places scale."""
        colours = array.shape[2] - alpha
        same = colours == self.colours
        about = self.about if same else replace(self.about, colour=())
        geo = self._scaled_geo(array.shape)
        return replace(
            self, array=array, alpha=alpha, icc_profile=self.icc_profile if same else None, about=about, geo=geo
        )

    def keeping(self, other: Picture) -> Picture:
        """This picture with another's palette."""
        return replace(self, palette=other.palette)

    def _scaled_geo(self, shape: tuple[int, ...]) -> dict[int, Any]:
        """The place on Earth of an enlarged raster: more and smaller pixels on the same ground."""
        y, x = (new / old for new, old in zip(shape[:2], self.array.shape[:2], strict=True))
        geo = dict(self.geo)
        if len(geo.get(33550, ())) >= 2:
            geo[33550] = (geo[33550][0] / x, geo[33550][1] / y, *geo[33550][2:])
        if 33922 in geo:  # i, j, k of the raster, then x, y, z of the ground
            geo[33922] = tuple(v * (x, y, 1, 1, 1, 1)[n % 6] for n, v in enumerate(geo[33922]))
        if len(geo.get(34264, ())) == 16:
            geo[34264] = tuple(v / (x, y, 1, 1)[n % 4] for n, v in enumerate(geo[34264]))
        return geo


def read_picture(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a picture in its own type, upright. Palettes, CMYK, Lab and other colour systems become RGB.

    A type is what the file declares: a dark 16-bit image is a 16-bit image. 1-bit images become 8-bit gray. Of
    several pages or frames the first is read (`toolbox.inference.frames` reads all).

    Raises:
        UserError: naming the file that is missing, damaged, too large, or of a type that is not kept; or a package
            (`tifffile`) that reading it needs.
    """
    path = Path(path)
    with opened_picture(path, max_pixels) as (file, image):
        if image is None:
            return tiff_picture(path, 0, max_pixels)
        number = next(iter(pillow_pages(image))) if image.format == "TIFF" else 0
        if image.format == "TIFF" and not pillow_reads(image):
            return tiff_picture(path, 0, max_pixels)
        image.verify()  # the only step that looks at PNG checksums; it leaves the image unusable
        file.seek(0)
        with open_safely(file) as image:
            if number:
                image.seek(number)
            return picture_of(image, path)


@contextmanager
def opened_picture(path: Path, max_pixels: int) -> Iterator[tuple[BinaryIO, Image.Image | None]]:
    """The opened file, and what Pillow makes of it, its header checked; None of a TIFF that only tifffile knows.

    Raises:
        UserError: naming the file, also for what the body raises, as `naming` does.
    """
    with naming(path), open_regular(path) as file:
        start = file.read(2)
        if start in (b"II", b"MM"):
            refuse_many(path, directories(file), 0, max_pixels)
        file.seek(0)
        try:
            opened = open_safely(file)
        except Image.UnidentifiedImageError:
            if start not in (b"II", b"MM"):
                raise
            yield file, None  # more channels than Pillow knows
            return
        with opened as image:
            check_header(path, image, os.fstat(file.fileno()).st_size, max_pixels)
            yield file, image


def check_header(path: Path, image: Image.Image, size: int, max_pixels: int) -> None:
    """Raises UserError for an opened file of `size` bytes that should not be decoded."""
    problem = problem_of(image, size, max_pixels, deep=True) or endless(image)
    if problem:
        raise UserError(f"{path}: {problem}{RAISE if 'more than the limit' in problem else ''}")
    if image.mode == "I" and image.format != "PPM":
        bits = max(getattr(image, "tag_v2", {}).get(258, (32,)))  # of 16 bits with a sign, Pillow makes 32
        kind = f"{bits}-bit integers" if bits > 16 else f"{bits}-bit integers with a sign"
        raise UserError(f"{path}: {kind} are not kept; convert it to 16 bits without a sign, or to floats")
    if image.format == "PNG" and image.mode == "P" and image.palette is None:
        raise UserError(f"{path}: damaged image (it numbers the colours of a palette, and has none); replace it")
    if image.format == "DDS":
        kind = _DDS_KINDS.get(_dds_caps(path) & 0x200200)
        if kind:
            raise UserError(f"{path}: is {kind}, of which one side would be read; save each side by itself")
    declared_depth(path, image)


def _dds_caps(path: Path) -> int:
    with open_regular(path) as file:
        return int.from_bytes(file.read(116)[112:], "little")


def tiff_picture(path: Path, number: int, max_pixels: int) -> Picture:
    """A page of a TIFF that Pillow cannot read."""
    try:
        page = read_page(path, number, max_pixels)
    except UserError as error:
        raise UserError(f"{error}{RAISE}") if "more than the limit" in str(error) else error from None
    orientation, tags = int(page.tags.get(274, 1) or 1), page.tags
    exif = Image.Exif()
    for code in _TEXT_TAGS:
        if isinstance(tags.get(code), str) and tags[code]:
            exif[code] = tags[code]
    xmp = tags.get(700)
    return Picture(
        array=upright(page.array, orientation),
        alpha=page.alpha,
        icc_profile=None if page.lab else tags.get(34675),
        exif=exif.tobytes() if len(exif) else None,
        dpi=tiff_dpi(tags, orientation),
        geo=_geo(tags),
        about=Metadata(xmp=xmp if isinstance(xmp, bytes) else None),
        associated=page.associated,
        name=str(path),
        notes=(f"{path}: Lab becomes sRGB",) if page.lab else (),
    )


def picture_of(image: Image.Image, path: Path) -> Picture:
    """The picture, frame or page that Pillow stands at."""
    image.load()  # complains of what is cut short; OpenCV does not
    exif, orientation = exif_of(image)
    array, alpha, kept, note = _pixels(image, path)
    notes = [f"{path}: {note}"] if note else []
    count = 1 if image.format in FRAMES else int(getattr(image, "n_frames", 1))
    if count > 1:
        notes.append(f"{path}: {image.format} with {count} pictures (previews, sizes or layers); the main one is taken")
    return Picture(
        array=upright(array, orientation),
        alpha=alpha,
        icc_profile=image.info.get("icc_profile") if kept else None,
        exif=exif,
        dpi=dpi_of(image.info.get("dpi"), orientation),
        geo=_geo(getattr(image, "tag_v2", {})),
        about=read_metadata(image, path),
        palette=palette_of(image),
        bilevel=alpha and is_bilevel(image),
        name=str(path),
        notes=tuple(notes),
    )


def _pixels(image: Image.Image, path: Path) -> tuple[np.ndarray, bool, bool, str]:
    """Pixels, whether the last channel is transparency, whether the profile is still that of these colours, a note."""
    if image.mode == "F":
        return np.array(image)[..., None], False, True, ""
    if image.format != "TIFF" and declared_depth(path, image) == 16:
        return *read_deep(path, image), True, ""
    if image.mode.startswith("I;16"):
        return np.array(image).astype(np.uint16)[..., None], False, True, ""
    if image.format == "PNG" and image.mode == "L" and "transparency" in image.info:
        image.info["transparency"] *= 255 // ((1 << png_bits(path)) - 1)  # Pillow widens the pixels to 8 bits alone
    return plain_pixels(image)


def is_bilevel(image: Image.Image) -> bool:
    """Whether an opened picture's transparency is one colour of its palette, as of GIF."""
    return image.format == "GIF" or (image.mode == "P" and isinstance(image.info.get("transparency"), int))


def refuse_many(path: Path, frames: int, size: int, max_pixels: int) -> None:
    """Raises UserError for more frames or pages, of `size` bytes in all, than are held in memory together.

    That is as much as one picture of three channels and 8 bits may take.
    """
    if frames > MOST_FRAMES:
        raise UserError(f"{path}: has more than {MOST_FRAMES:,} frames or pages; cut it into several files")
    if frames > 1 and size > 3 * max_pixels:
        together = f"{frames:,} frames or pages hold as much as {size // 3:,} pixels in colour"
        raise UserError(f"{path}: {together}, more than the limit of {max_pixels:,}{RAISE}")


def _geo(tags: Any) -> dict[int, Any]:
    """Texts, and tuples of numbers: of one number alone, Pillow gives it bare."""
    found = {code: tags[code] for code in GEO_TAGS if code in tags}
    return {code: value if isinstance(value, (str, tuple)) else (value,) for code, value in found.items()}
