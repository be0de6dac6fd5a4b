"""Pictures as files hold them: 8 or 16 bits or floats, any number of channels, transparency, ICC, EXIF, place on Earth.

Training reads with `toolbox.io.images`, 8-bit RGB alone; inference keeps what a file has.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from toolbox.io.errors import UserError
from toolbox.io.files import open_regular
from toolbox.io.images import MAX_PIXELS, naming, open_safely, problem_of

FORMATS = ("png", "jpg", "webp", "tif")
"""What can be asked for by name; BMP is kept where it comes in."""

_ORIENTATION, _EXIF_IFD = 0x0112, 0x8769
_PIXEL_SIZES = (0xA002, 0xA003)  # true of the input alone
_OF_THE_FILE = {254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 282, 283, 284, 296, 317, 320, 322, 323, 324}
_OF_THE_FILE |= {325, 330, 338, 339, 347, 700, 34675}  # TIFF's own layout, and what is kept elsewhere
GEO_TAGS = {33550: "d", 33922: "d", 34264: "d", 34735: "H", 34736: "d", 34737: "s", 42112: "s", 42113: "s"}
"""GeoTIFF: pixel size, tie points, transformation, keys and their values; GDAL's metadata and no-data value."""

_TURNS = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}


@dataclass(frozen=True)
class Picture:
    """Pixels (H, W, C) of type uint8, uint16 or float32 (nominally in [0, 1]), and what the file says of them.

    `alpha`: the last channel is transparency, not multiplied into the colours. EXIF's orientation is applied to the
    pixels and reset; the ICC profile is kept byte for byte; `geo` holds a GeoTIFF's tags.
    """

    array: np.ndarray
    alpha: bool = False
    icc_profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    geo: dict[int, Any] = field(default_factory=dict)

    @property
    def colours(self) -> int:
        """Channels without transparency."""
        return self.array.shape[2] - self.alpha

    def with_pixels(self, array: np.ndarray, *, alpha: bool) -> Picture:
        """Other pixels of the same scene: a profile that does not fit their colours is left out, places scale."""
        colours = array.shape[2] - alpha
        profile = self.icc_profile if colours == self.colours else None
        return replace(self, array=array, alpha=alpha, icc_profile=profile, geo=self._scaled_geo(array.shape))

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
    """Read a picture in its own type, upright. Palettes, CMYK and other colour systems become RGB.

    A type is what the file declares: a dark 16-bit image is a 16-bit image. 1-bit images become 8-bit gray. Of
    several pages or frames the first is read.

    Raises:
        UserError: naming the file that is missing, damaged, too large, or of a type that is not kept; or a package
            (`tifffile`) that reading it needs.
    """
    path = Path(path)
    with naming(path), open_regular(path) as file:
        start = file.read(4)
        file.seek(0)
        try:
            opened = open_safely(file)
        except Image.UnidentifiedImageError:
            if start[:2] not in (b"II", b"MM"):
                raise
            return _read_tiff(path, max_pixels)  # more channels than Pillow knows
        with opened as image:
            problem = problem_of(image, os.fstat(file.fileno()).st_size, max_pixels, deep=True)
            if problem:
                raise UserError(f"{path}: {problem}")
            if image.format == "TIFF" and not _pillow_reads_tiff(image):
                return _read_tiff(path, max_pixels)
            image.verify()  # the only step that looks at PNG checksums; it leaves the image unusable
        file.seek(0)
        with open_safely(file) as image:
            info, (exif, orientation) = dict(image.info), _exif(image)
            geo = _geo(getattr(image, "tag_v2", {}))
            array, alpha, kept = _pixels(image, path)
    return Picture(
        array=_upright(array, orientation),
        alpha=alpha,
        icc_profile=info.get("icc_profile") if kept else None,
        exif=exif,
        dpi=_dpi(info.get("dpi"), orientation),
        geo=geo,
    )


def _pixels(image: Image.Image, path: Path) -> tuple[np.ndarray, bool, bool]:
    """Pixels, whether the last channel is transparency, and whether the profile is still that of these colours."""
    image.load()  # complains of what is cut short; OpenCV, below, does not
    if image.format == "PNG" and image.mode in ("RGB", "RGBA", "LA") and _png_depth(path) == 16:
        return *_read_deep_png(path), True
    if image.mode in ("I;16", "I;16B", "I;16L", "I;16N"):
        return np.array(image).astype(np.uint16)[..., None], False, True
    if image.mode == "F":
        return np.array(image)[..., None], False, True
    if image.mode.startswith("I"):
        raise UserError(f"{path}: 32-bit integers are not kept; convert it to 16 bits or to floats")
    gray = image.mode in ("1", "L", "LA", "La")
    alpha = "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa")
    kept = gray or image.mode in ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX")
    if alpha:
        array = np.array(image.convert("RGBA"))
        return (array[..., [0, 3]] if gray else array), True, kept
    array = np.array(image.convert("L" if gray else "RGB"))
    return (array[..., None] if gray else array), False, kept


def _png_depth(path: Path) -> int:
    with open_regular(path) as file:
        return file.read(25)[24]


def _read_deep_png(path: Path) -> tuple[np.ndarray, bool]:
    """16-bit colour, which Pillow would cut to 8 bits."""
    array = _decode(path)
    if array.dtype != np.uint16:
        raise UserError(f"{path}: 16 bits per channel are declared, and {array.dtype} is found")
    with open_regular(path) as file:
        gray = file.read(26)[25] == 4
    return (array[..., [0, 3]] if gray else array), array.shape[2] == 4


def _decode(path: Path) -> np.ndarray:
    """What OpenCV reads: (H, W, 1, 3 or 4), red first."""
    import cv2

    array = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise UserError(f"{path}: damaged image (its pixels cannot be decoded); replace or remove the file")
    return array[..., None] if array.ndim == 2 else array[..., [2, 1, 0, 3][: array.shape[2]]]


def _pillow_reads_tiff(image: Image.Image) -> bool:
    """Whether Pillow gives all channels of a TIFF in all their bits."""
    tags = getattr(image, "tag_v2", {})
    deep = max(tags.get(258, (1,))) > 8
    if deep:
        return image.mode in ("I;16", "F") and tags.get(277, 1) == 1
    return tags.get(277, 1) == len(image.getbands())


def _read_tiff(path: Path, max_pixels: int) -> Picture:
    """What Pillow cannot read: 16 bits or floats in colour, and more than four channels."""
    tifffile = require_tifffile(path)
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            height, width, samples = page.imagelength, page.imagewidth, page.samplesperpixel
            if height * width * max(1, samples / 4) > max_pixels:
                raise UserError(f"{path}: {width}x{height} pixels of {samples} channels are more than the limit allows")
            try:
                array = page.asarray()
            except ValueError as error:  # a compression such as LZW, which tifffile leaves to imagecodecs
                if "imagecodecs" not in str(error):
                    raise
                if samples not in (1, 3, 4):
                    raise UserError(f"{path}: its compression needs another package: pip install imagecodecs") from None
                array = _decode(path)
            extra, photometric = tuple(page.extrasamples or ()), int(page.photometric)
            tags = {tag.code: tag.value for tag in page.tags.values()}
            separate = int(page.planarconfig) == 2 and array.shape[:1] == (samples,) != array.shape[-1:]
    except UserError:
        raise
    except Exception as error:  # of many kinds: tifffile lets through what struct, zlib and its dicts raise
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"{path}: cannot be read as TIFF ({reason})") from None
    array = np.moveaxis(array, 0, -1) if separate and array.ndim == 3 else array
    array = array[..., None] if array.ndim == 2 else array
    if array.dtype in (np.float16, np.float64):
        array = array.astype(np.float32)
    if array.ndim != 3 or array.dtype not in (np.uint8, np.uint16, np.float32):
        raise UserError(f"{path}: {array.dtype} {array.shape} is not kept; convert it to uint8, uint16 or float32")
    if photometric == 0 and array.dtype != np.float32:
        array = np.invert(array)  # pyright: ignore[reportArgumentType]  # white is zero
    orientation = int(tags.get(274, 1) or 1)
    return Picture(
        array=_upright(np.ascontiguousarray(array), orientation),
        alpha=array.shape[2] in (2, 4) and len(extra) == 1 and int(extra[0]) in (1, 2),
        icc_profile=tags.get(34675),
        geo=_geo(tags),
    )


def require_tifffile(path: Path) -> Any:
    """tifffile, which the extra `images` brings; `path` is what needs it."""
    try:
        import tifffile
    except ImportError:
        raise UserError(f"{path}: TIFF of this kind needs another package: pip install tifffile") from None
    return tifffile


def _geo(tags: Any) -> dict[int, Any]:
    return {code: tags[code] for code in GEO_TAGS if code in tags}


def _exif(image: Image.Image) -> tuple[bytes | None, int]:
    """EXIF with its orientation reset and without what holds of the input's file alone; and that orientation."""
    exif = image.getexif()
    orientation = exif.get(_ORIENTATION, 1)
    if _ORIENTATION in exif:
        exif[_ORIENTATION] = 1
    for tag in [tag for tag in exif if tag in _OF_THE_FILE or tag in GEO_TAGS]:
        if image.format == "TIFF":
            del exif[tag]
    if _EXIF_IFD in exif:
        inner = exif.get_ifd(_EXIF_IFD)
        for tag in _PIXEL_SIZES:
            inner.pop(tag, None)
    return (exif.tobytes() if len(exif) else None), orientation if isinstance(orientation, int) else 1


def _upright(array: np.ndarray, orientation: int) -> np.ndarray:
    turns, mirrored = _TURNS.get(orientation, (0, False))
    array = np.rot90(array, turns) if turns else array
    return np.ascontiguousarray(array[:, ::-1] if mirrored else array)


def _dpi(dpi: Any, orientation: int) -> tuple[float, float] | None:
    try:
        x, y = (float(value) for value in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not (0 < x < 1e6 and 0 < y < 1e6):
        return None
    return (y, x) if orientation >= 5 else (x, y)
