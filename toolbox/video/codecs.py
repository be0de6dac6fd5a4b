"""The codecs that films are written in: who encodes them, what each can hold, and which a film gets by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolbox.io.errors import UserError
from toolbox.video.opening import pyav

_X26 = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")

X264_ALIKE = "cpu-independent=1"
"""Without it x264 gave up to 71 different streams of the same 96 frames in 120 encodes (its macroblock tree, in fast
arithmetic); with it, one."""


@dataclass(frozen=True)
class Codec:
    """A codec that results are written in.

    Args:
        name: as `--codec` calls it.
        encoder: FFmpeg's.
        containers: endings of files that it goes into, the best first.
        crf: quality that is kept where nobody says, and the range; None where the codec has no such number.
        presets: names of speeds, from fast to slow; `preset` is the usual one.
        bits_per_pixel: what a frame's pixel takes, about, at the usual quality: for the estimate of the disk.
        even: whether sides must be even where chroma has half the lines or columns.
        least, most: the shortest and the longest side.
        alpha: whether it holds transparency, and not only its encoder says so.
        limited: whether its numbers are always of the limited range, since nothing in a file says otherwise.
        hdr: whether HDR10's still numbers can be handed to the encoder.
    """

    name: str
    encoder: str
    containers: tuple[str, ...]
    crf: tuple[float, float, float] | None
    presets: tuple[str, ...]
    preset: str | None
    bits_per_pixel: float
    even: bool = False
    least: int = 1
    most: int = 16_384
    alpha: bool = False
    limited: bool = False
    hdr: bool = False
    options: dict[str, str] = field(default_factory=dict)


CODECS = {
    each.name: each
    for each in (
        Codec("h264", "libx264", (".mp4", ".mov", ".mkv", ".ts"), (18, 0, 51), _X26, "medium", 0.12, True, hdr=True,
              options={"x264-params": X264_ALIKE}),
        Codec("hevc", "libx265", (".mp4", ".mov", ".mkv", ".ts"), (20, 0, 51), _X26, "medium", 0.09, True, least=16,
              hdr=True),
        Codec(
            "av1", "libsvtav1", (".mp4", ".mkv", ".webm"), (26, 0, 63), tuple(str(n) for n in range(13, -1, -1)), "8",
            0.06, least=4, hdr=True,
        ),
        Codec("ffv1", "ffv1", (".mkv",), None, (), None, 8.0, most=65_535, alpha=True,
              options={"level": "3", "slicecrc": "1", "g": "1"}),
        Codec("prores", "prores_ks", (".mov", ".mkv"), None, ("proxy", "lt", "standard", "hq"), "hq", 5.0, alpha=True,
              limited=True),
    )
}  # fmt: skip

CONTAINERS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".qt": "mov", ".mkv": "matroska", ".webm": "webm", ".ts": "mpegts",
    ".m2ts": "mpegts", ".mts": "mpegts",
}  # fmt: skip
"""FFmpeg's names of the containers that are written, by the endings of files."""
_ALIKE = {".m4v": ".mp4", ".qt": ".mov", ".m2ts": ".ts", ".mts": ".ts"}
_OWN = {"h264": "h264", "hevc": "hevc", "av1": "av1", "libdav1d": "av1", "ffv1": "ffv1", "prores": "prores"}
_LOSSLESS = (
    "rawvideo",
    "huffyuv",
    "ffvhuff",
    "utvideo",
    "qtrle",
    "png",
    "magicyuv",
    "v210",
    "v410",
    "r210",
    "lagarith",
)
"""What films without loss are in: a result of one is without loss too."""


def codec_for(source: str, *, bits: int, alpha: bool, ending: str) -> Codec:
    """The codec that a film gets where nobody says: its own, or else one that loses none of its bits.

    Args:
        source: FFmpeg's name of the film's codec.
        ending: of the file that is asked for, or of the film.
    """
    if alpha:
        return CODECS["prores" if source in ("prores", "qtrle") else "ffv1"]
    if source in _OWN and not (_OWN[source] == "h264" and bits > 10):
        return CODECS[_OWN[source]]
    if source in _LOSSLESS:
        return CODECS["ffv1"]
    if ending == ".webm":
        return CODECS["av1"]
    return CODECS["hevc" if bits > 8 else "h264"]


def plain_ending(text: str) -> str:
    """`.mp4` of `MP4`, of `.m4v` and the like: the first of the endings that a container has."""
    ending = f".{text.lower().removeprefix('.')}"
    return _ALIKE.get(ending, ending)


def ending_for(
    codec: Codec, source: Path, asked: str | None, loses: Callable[[str], int] = lambda container: 0
) -> str:  # fmt: skip
    """The ending of a result: what is asked for, the film's own, or that of the codec's which loses the least.

    Args:
        loses: how many streams beside the pictures are lost in a container, by FFmpeg's name.

    Raises:
        UserError: the container is not written, or does not hold the codec.
    """
    if asked is None:
        own = plain_ending(source.suffix)
        if own in codec.containers:
            return source.suffix
        first = ".mov" if own == ".mp4" and ".mov" in codec.containers else codec.containers[0]  # of equal time stamps
        others = [each for each in codec.containers if each not in (first, ".ts")]
        return min((first, *others), key=lambda each: loses(CONTAINERS[each]))  # the first of equals
    ending = f".{asked.lower().removeprefix('.')}"
    if ending not in CONTAINERS:
        known = ", ".join(each.removeprefix(".") for each in dict.fromkeys(CONTAINERS))
        raise UserError(f"--container {asked}: is not written; known: {known}")
    if plain_ending(ending) not in codec.containers:
        fit = ", ".join(each.removeprefix(".") for each in codec.containers)
        raise UserError(f"--container {asked}: does not hold {codec.name}, which goes into {fit}; or choose --codec")
    return ending


def pixel_format_for(codec: Codec, source: str, *, alpha: bool, size: tuple[int, int]) -> str:
    """The pixel format of a result: as many bits and as much chroma as the film's, or the next more that there is.

    RGB stays RGB in ffv1, and becomes 4:2:0 elsewhere, of 10 bits where there were more than 12.

    Args:
        source: FFmpeg's name of the film's pixel format.
        alpha: whether the result has transparency.
        size: (width, height) of the result. Odd sides take whole chroma where the codec wants it even.

    Raises:
        UserError: the codec holds no transparency, or no such size.
    """
    av = pyav()
    if max(size) > codec.most:
        raise UserError(f"{codec.name} holds no side of {max(size):,} pixels; choose --codec ffv1, or a smaller result")
    if min(size) < codec.least:
        raise UserError(f"{codec.name} holds no side of less than {codec.least} pixels, and the result has "
                        f"{size[0]}x{size[1]}; choose --codec ffv1")  # fmt: skip
    given = av.VideoFormat(source)
    bits = max((each.bits for each in given.components), default=8)
    wide, high = _chroma(given)
    whole = codec.name == "ffv1"  # what others hold of RGB, of 16 bits and the like is played in few places
    as_rgb = whole and (given.is_rgb or given.has_palette)
    if not whole:
        bits = 10 if bits > 12 else bits
        wide, high = (0.5, 0.5) if given.is_rgb or given.has_palette else (wide, high)
    odd = [codec.even and side % 2 for side in size]
    wide, high = 1.0 if odd[0] else max(wide, 0.5), 1.0 if odd[1] else max(high, 0.5)
    can = [av.VideoFormat(getattr(each, "name", each)) for each in av.codec.Codec(codec.encoder, "w").video_formats]
    fitting = []
    for each in can if codec.alpha or not alpha else ():
        if any(part.is_alpha for part in each.components) != alpha or each.name.startswith(
            ("yuvj", "nv", "gray", "ya", "pal")
        ):
            continue
        depth = max(part.bits for part in each.components)
        has = _chroma(each)
        if (odd[0] and has[0] < 1) or (odd[1] and has[1] < 1) or min(has) < 0.5:
            continue
        cost = (
            each.is_rgb != as_rgb,
            bits > depth,
            (wide > has[0]) + (high > has[1]),
            abs(depth - bits),
            (has[0] > wide) + (has[1] > high),
            each.name.startswith("yuv440"),
        )
        fitting.append((cost, each.name))
    if not fitting:
        way = "choose --codec ffv1 or prores, or --alpha drop" if alpha else "choose another --codec"
        raise UserError(f"{codec.name} holds {'no transparency' if alpha else 'no such pixels'}; {way}")
    return min(fitting)[1]


def _chroma(pixel_format: Any) -> tuple[float, float]:
    """Which part of all columns and of all lines chroma has."""
    if len(pixel_format.components) < 3:  # gray, a palette
        return (1.0, 1.0) if pixel_format.has_palette else (0.5, 0.5)
    return pixel_format.chroma_width(64) / 64, pixel_format.chroma_height(64) / 64
