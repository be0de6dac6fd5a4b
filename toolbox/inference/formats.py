"""What each format of a file holds: the one table that results are checked against before any work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Format:
    """A format that results are written in.

    Args:
        name: as Pillow calls it.
        suffixes: its files' endings; the first is what `--format` writes.
        depth: the most bits of a channel: 8, 16, or 32 for floats.
        alpha: bits of transparency: 0, 1 or 8 (as many as the colours').
        frames: whether it holds several frames or pages.
        longest: the longest side in pixels.
        lossy: whether `--quality` says how much is kept.
    """

    name: str
    suffixes: tuple[str, ...]
    depth: int = 8
    alpha: int = 8
    frames: bool = False
    longest: int = 1 << 31
    lossy: bool = False


WRITTEN = (
    Format("PNG", (".png", ".apng"), depth=16, frames=True),
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), alpha=0, longest=65_535, lossy=True),
    Format("WEBP", (".webp",), frames=True, longest=16_383, lossy=True),
    Format("AVIF", (".avif", ".avifs"), frames=True, longest=65_536, lossy=True),
    Format("TIFF", (".tif", ".tiff"), depth=32, frames=True),
    Format("GIF", (".gif",), alpha=1, frames=True, longest=65_535),
    Format("BMP", (".bmp", ".dib"), alpha=0),
    Format("JPEG2000", (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx")),
    Format("TGA", (".tga", ".icb", ".vda", ".vst"), longest=65_535),
    Format("DDS", (".dds",)),
)

NAMES = {each.suffixes[0].removeprefix("."): each for each in WRITTEN}
"""What `--format` takes."""

_ALSO = {"MPO": "JPEG", "DIB": "BMP"}
_BY_NAME = {each.name: each for each in WRITTEN}
_BY_SUFFIX = {suffix: each for each in WRITTEN for suffix in each.suffixes}


def format_named(name: str) -> Format | None:
    """The written format of what Pillow calls a file's, or None."""
    return _BY_NAME.get(_ALSO.get(name, name))


def format_of(path: Path) -> Format | None:
    """The format that a result of this name is written in, or None."""
    return _BY_SUFFIX.get(path.suffix.lower())


def problem_of_result(kind: Format, *, size: tuple[int, int], colours: int, alpha: int, frames: int = 1) -> str | None:
    """Why a format cannot hold a result of this size (width, height), and what to choose; None where it can.

    `alpha`: bits of transparency, 0 for none.
    """
    if colours not in (1, 3) and kind.name != "TIFF":
        return f"{kind.name} cannot hold {colours} channels; choose --format tif"
    if alpha and not kind.alpha:
        return f"{kind.name} holds no transparency; choose --format png, or --alpha drop"
    if alpha > 1 and kind.alpha == 1:
        return f"{kind.name} holds no half transparency; choose --format png or webp, or --alpha drop"
    if frames > 1 and not kind.frames:
        return f"has {frames} frames or pages, and {kind.name} holds one; choose --format png, webp, gif or tif"
    if max(size) > kind.longest:
        return f"{kind.name} holds no side of {max(size):,} pixels; choose --format png or tif"
    return None
