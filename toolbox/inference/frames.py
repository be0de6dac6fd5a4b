"""Files of several frames or pages: animations with their timing, and TIFF of many pages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from toolbox.inference.formats import Format
from toolbox.inference.palette import FEW, colours_of
from toolbox.inference.picture import (
    Picture,
    check_header,
    opened_picture,
    picture_of,
    refuse_many,
    tiff_picture,
)
from toolbox.inference.picture_write import as_image, check, in_type, options, write_tiff, written_format
from toolbox.inference.tiff import open_tiff, pages_of, pillow_pages, pillow_reads, require_tifffile
from toolbox.io.errors import UserError
from toolbox.io.files import WholeFile, whole
from toolbox.io.images import MAX_PIXELS, bytes_of

_SHOWN = 100.0
"""Milliseconds of a frame that says nothing of its time, as browsers show it."""


@dataclass(frozen=True)
class Frames:
    """Pictures of one file in their order; of an animation, how long each is shown, and how often all.

    Args:
        durations: milliseconds of each frame; empty for pages.
        plays: 0 for ever.
    """

    pictures: tuple[Picture, ...]
    durations: tuple[float, ...] = ()
    plays: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return sum(each.nbytes for each in self.pictures)

    def with_pictures(self, pictures: list[Picture]) -> Frames:
        """Other pictures with the same timing."""
        return replace(self, pictures=tuple(pictures))


def read_frames(path: Path, *, max_pixels: int = MAX_PIXELS) -> Frames:
    """All frames of an animation, each whole and of one kind, or all pages of a TIFF, each of its own.

    Raises:
        UserError: naming the file, as `read_picture` does.
    """
    with opened_picture(path, max_pixels) as (_, image):
        if image is None or image.format == "TIFF":
            return _pages(path, max_pixels, image)
        plays = _plays(image)
        pictures, durations = [], []
        hidden = bool(image.info.get("default_image"))  # of APNG: for viewers that know no animations
        count = int(getattr(image, "n_frames", 1))
        refuse_many(path, count, count * bytes_of(image), max_pixels)
        for number in range(hidden, count):
            image.seek(number)
            pictures.append(_with_few_colours(picture_of(image, path)))
            durations.append(float(image.info.get("duration") or 0) or _SHOWN)
        return Frames(tuple(_alike(pictures)), () if image.format == "DCX" else tuple(durations), plays)


def _pages(path: Path, max_pixels: int, image: Image.Image | None = None) -> Frames:
    if image is None:
        with open_tiff(path) as file:
            sizes = [page.nbytes for page in pages_of(file)]
        refuse_many(path, len(sizes), sum(sizes), max_pixels)
        return Frames(tuple(tiff_picture(path, number, max_pixels) for number in range(len(sizes))))
    pages, places = [], pillow_pages(image)
    refuse_many(path, len(places), sum(places.values()), max_pixels)
    for number, place in enumerate(places):
        image.seek(place)
        check_header(path, image, path.stat().st_size, max_pixels)
        pages.append(picture_of(image, path) if pillow_reads(image) else tiff_picture(path, number, max_pixels))
    return Frames(tuple(pages))


def _plays(image: Image.Image) -> int:
    """How often an animation is shown: GIF counts repetitions, and says nothing where there are none."""
    loop = image.info.get("loop")
    if image.format == "GIF":
        return 1 if loop is None else int(loop) + 1 if loop else 0
    return int(loop or 0)


def _alike(pictures: list[Picture]) -> list[Picture]:
    """Frames of one number of channels: with transparency if any has it, in colour if any is."""
    alpha = any(each.alpha and each.array[..., -1].min() < 255 for each in pictures)  # of WebP, Pillow always gives it
    colours = max(each.colours for each in pictures)
    made = []
    for each in pictures:
        array = each.array[..., : each.colours]
        array = array if array.shape[2] == colours else array.repeat(colours, 2)
        if alpha:
            opaque = np.full((*array.shape[:2], 1), 255, array.dtype)
            array = np.concatenate([array, each.array[..., -1:] if each.alpha else opaque], axis=2)
        made.append(replace(each, array=array, alpha=alpha, bilevel=each.bilevel or (alpha and not each.alpha)))
    return made


def _with_few_colours(picture: Picture) -> Picture:
    """A frame of a palette animation with the colours that it shows; Pillow gives later frames without palette."""
    if picture.array.dtype != np.uint8 or (picture.palette is None and not picture.bilevel):
        return picture
    colours = colours_of(picture.array)
    return replace(picture, palette=colours if colours is not None and len(colours) <= FEW else None)


def write_frames(path: Path, frames: Frames, *, quality: int = 95) -> None:
    """Write all frames or pages in the format of the suffix, with their timing; the file is whole or not there.

    Raises:
        UserError: a format of single pictures, or one that cannot hold these.
        NotWritten: an OSError; the disk refuses.
    """
    kind = written_format(path)
    for picture in frames.pictures:
        check(path, picture, kind)
    if not kind.frames:
        raise UserError(f"{path}: {kind.name} holds one frame, and there are {len(frames.pictures)}; choose png or tif")
    write = _write_pages if kind.name == "TIFF" else _write_animation
    with whole(path, durable=False) as file:
        write(file, path, frames, kind, quality)


def _write_pages(target: WholeFile, path: Path, frames: Frames, kind: Format, quality: int) -> None:
    size = sum(each.nbytes for each in frames.pictures)
    with require_tifffile(path).TiffWriter(target, bigtiff=size > 3 << 30) as file:
        for picture in frames.pictures:
            write_tiff(file.write, None, in_type(picture.array, kind), picture)


def _write_animation(file: WholeFile, path: Path, frames: Frames, kind: Format, quality: int) -> None:
    if any(in_type(each.array, kind).dtype != np.uint8 for each in frames.pictures):
        raise UserError(f"{path}: an animation holds 8 bits per channel; choose --format tif for pages")
    first, *rest = (as_image(in_type(each.array, kind), each, kind) for each in frames.pictures)
    timing: dict[str, Any] = {"duration": [round(each) for each in frames.durations or (_SHOWN,) * (len(rest) + 1)]}
    if kind.name == "GIF":
        timing |= {} if frames.plays == 1 else {"loop": max(0, frames.plays - 1)}
        timing["disposal"] = 2 if frames.pictures[0].alpha else 0
    elif kind.name != "AVIF":
        timing["loop"] = frames.plays
    given = options(frames.pictures[0], kind, quality)
    first.save(file, format=kind.name, save_all=True, append_images=rest, **timing, **given)
