"""Writing pictures: each format gets what it can hold, and a file is whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from toolbox.inference.colour_systems import multiplied
from toolbox.inference.formats import NAMES, Format, format_of, problem_of_result
from toolbox.inference.metadata import options_for, png_info, tiff_tags
from toolbox.inference.palette import as_palette
from toolbox.inference.picture import GEO_TAGS, Picture
from toolbox.inference.png_write import write_deep_png
from toolbox.inference.tiff import require_tifffile
from toolbox.io.errors import UserError
from toolbox.io.files import WholeFile, whole

_JPEG_EXIF = 65_500
_HOLD_EXIF = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF")
_HOLD_PROFILE = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF")
_HOLD_DPI = ("PNG", "JPEG", "TIFF", "BMP")
_CLEAR_PALETTES = ("PNG", "GIF")
"""Formats whose palettes have transparency."""
_PALETTES = (*_CLEAR_PALETTES, "TIFF", "BMP", "TGA")
_BILEVEL = 128
"""Of a transparency that holds one bit: this and more is seen."""


def write_picture(path: str | os.PathLike[str], picture: Picture, *, quality: int = 95) -> None:
    """Write a picture in the format of its suffix; parent folders are made.

    PNG holds 8 and 16 bits (floats become 16), TIFF all types and any number of channels; the other formats 8 bits, to
    which deeper pictures are rounded. `quality` is for JPEG, WebP and AVIF; JPEG keeps the full colour resolution.
    EXIF goes into PNG, JPEG, WebP, AVIF and TIFF of 8 bits, XMP, texts and comments wherever there is a place.

    Raises:
        UserError: an unknown suffix, or a format that cannot hold these channels, this gamma or this size.
        NotWritten: an OSError; the disk refuses.
    """
    path = Path(path)
    kind = written_format(path)
    check(path, picture, kind)
    with whole(path, durable=False) as file:
        _write(file, path, picture, kind, quality)


def written_format(path: Path) -> Format:
    """The format of a name. Raises UserError where there is none."""
    kind = format_of(path)
    if kind is None:
        known = " ".join(f".{name}" for name in NAMES)
        raise UserError(f"{path}: cannot write {path.suffix or 'a file without suffix'}; use one of {known}")
    return kind


def check(path: Path, picture: Picture, kind: Format) -> None:
    """Raises UserError for what a format cannot hold."""
    height, width = picture.array.shape[:2]
    alpha = 0 if not picture.alpha else 1 if picture.bilevel else 8  # enlarged it is smooth, and is cut again
    problem = problem_of_result(kind, size=(width, height), colours=picture.colours, alpha=alpha)
    if problem:
        raise UserError(f"{path}: {problem}")
    check_values(path, picture)


def check_values(path: Path, picture: Picture) -> None:
    """Raises UserError where the format cannot say what the numbers are: another gamma, or that they are no data."""
    kind = written_format(path)
    if picture.array.dtype.kind == "f" and kind.depth < 32 and not np.isfinite(picture.array).all():
        raise UserError(f"{path}: the picture holds NaN, for which {kind.name} has no number; choose --format tif")
    gamma = picture.about.gamma
    if gamma and kind.name != "PNG" and not picture.icc_profile:
        raise UserError(f"{path}: the picture has gamma {gamma:g}, which {kind.name} cannot say; choose --format png")


def in_type(array: np.ndarray, kind: Format) -> np.ndarray:
    """The same pixels in a type that the format holds, rounded to the nearest level."""
    if kind.depth == 32 or array.dtype == np.uint8:
        return array
    if array.dtype == np.float32:
        highest, dtype = (65_535, np.uint16) if kind.depth == 16 else (255, np.uint8)
        return (np.clip(array, 0, 1) * highest + 0.5).astype(dtype)
    return array if kind.depth == 16 else ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _write(file: WholeFile, path: Path, picture: Picture, kind: Format, quality: int) -> None:
    array = in_type(picture.array, kind)
    plain = picture.colours in (1, 3) and array.dtype == np.uint8
    if kind.name == "TIFF" and (not plain or picture.geo or picture.associated):
        write_tiff(require_tifffile(path).imwrite, file, array, picture)
    elif array.dtype == np.uint16:
        write_deep_png(file, array, picture)
    else:
        as_image(array, picture, kind).save(file, format=kind.name, **options(picture, kind, quality))


def as_image(array: np.ndarray, picture: Picture, kind: Format) -> Image.Image:
    """Pixels of 8 bits as Pillow writes them: in the picture's own palette where that was asked for."""
    if picture.alpha and kind.alpha == 1:
        array = array.copy()
        array[..., -1] = np.where(array[..., -1] >= _BILEVEL, 255, 0)
    if picture.palette is not None and kind.name in (_CLEAR_PALETTES if picture.alpha else _PALETTES):
        made = as_palette(array, picture.palette, one_clear=kind.name != "PNG")
        if made is not None:
            return made
    image = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
    return image.convert("RGBA") if kind.name in ("GIF", "WEBP", "AVIF") and image.mode == "LA" else image


def options(picture: Picture, kind: Format, quality: int) -> dict[str, Any]:
    """What Pillow's writer of a format takes of the picture."""
    name, about = kind.name, picture.about
    options = options_for(name, about)
    if kind.lossy:
        options["quality"] = quality
    if name == "JPEG":
        options["subsampling"] = 0
    if name == "WEBP":
        options["exact"] = True  # colours under transparency are kept
    exif = picture.exif
    if name == "TIFF":
        if exif or about.remark or about.xmp:
            tags = Image.Exif()
            tags.load(exif or b"")
            for code, _, _, value in tiff_tags(about):
                tags.setdefault(code, value)
            exif = tags
        else:  # libtiff, which compresses, cannot write EXIF
            options["compression"] = "tiff_adobe_deflate"
    if picture.icc_profile and name in _HOLD_PROFILE:
        options["icc_profile"] = picture.icc_profile
    if exif and name in _HOLD_EXIF and not (name == "JPEG" and len(picture.exif or b"") > _JPEG_EXIF):
        options["exif"] = exif
    if picture.dpi and name in _HOLD_DPI:
        options["dpi"] = picture.dpi
    if name == "PNG":
        options["pnginfo"] = png_info(about)
    return options


def write_tiff(write: Callable[..., Any], target: object, array: np.ndarray, picture: Picture) -> None:
    """One page by tifffile's `imwrite`, or a writer's `write` without a target."""
    plain = picture.colours in (1, 3)
    main = picture.colours if plain else 1
    extra = array.shape[2] - main
    if picture.associated and picture.alpha:
        array = multiplied(array)
    alpha = "assocalpha" if picture.associated else "unassalpha"
    tags: list[Any] = [*tiff_tags(picture.about)]
    for code, value in picture.geo.items():
        text = isinstance(value, str)
        tags.append((code, GEO_TAGS[code], 0 if text else len(value), value, True))
    inner = Image.Exif()
    inner.load(picture.exif or b"")
    taken = {tag[0] for tag in tags}
    tags += [
        (code, "s", 0, value, True) for code, value in inner.items() if isinstance(value, str) and code not in taken
    ]
    resolution = {"resolution": picture.dpi, "resolutionunit": "INCH"} if picture.dpi else {}
    write(
        *([] if target is None else [target]),
        array[..., 0] if array.shape[2] == 1 else array,
        photometric="rgb" if plain and main == 3 else "minisblack",
        planarconfig="contig" if array.shape[2] > 1 else None,
        extrasamples=[alpha if picture.alpha and i == extra - 1 else "unspecified" for i in range(extra)],
        compression="zlib",
        iccprofile=picture.icc_profile,
        extratags=tags,
        metadata=None,
        software=False,
        **({} if target is None else {"bigtiff": array.nbytes > 3 << 30}),
        **resolution,
    )
