"""A film to translate: what it is, how its result is written, and what of both is told before any work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from toolbox.inference.header import read_header
from toolbox.inference.video.sequence import FIRST_NAME, Sequence, is_pattern
from toolbox.inference.video.settings import Settings
from toolbox.io.errors import UserError
from toolbox.io.images import MAX_PIXELS
from toolbox.io.search import SUFFIXES as PICTURES
from toolbox.video import hdr
from toolbox.video.codecs import CODECS, Codec, codec_for, ending_for, pixel_format_for, plain_ending
from toolbox.video.colours import LIMITED
from toolbox.video.encoding import Writing, check_choice
from toolbox.video.holding import loses
from toolbox.video.opening import SUFFIXES as FILMS
from toolbox.video.opening import pyav
from toolbox.video.reading import Video, open_video

FRAMES = "frames"
"""The container that is a folder of pictures."""


@dataclass(frozen=True)
class Film:
    """What a film's header says, and the ending of its result, empty for a folder of pictures."""

    width: int
    height: int
    bits: int
    alpha: bool
    frames: int | None
    codec: str
    ending: str
    notes: tuple[str, ...] = ()


@contextmanager
def opened(path: Path, settings: Settings, max_pixels: int = MAX_PIXELS) -> Iterator[Video | Sequence]:
    """A film's file, or numbered pictures."""
    first, last = settings.part
    if is_pattern(path):
        yield Sequence(path, rate=settings.rate, first=first, last=last, max_pixels=max_pixels)
        return
    with open_video(path, first=first, last=last, max_pixels=max_pixels) as video:
        yield video


def film_of(path: Path, settings: Settings, *, keeps_alpha: bool, max_pixels: int = MAX_PIXELS) -> Film:
    """Look at a film, and decide what its result is written as.

    Raises:
        UserError: naming the film, or the option that does not go with it.
    """
    with opened(path, settings, max_pixels) as video:
        alpha = video.alpha and keeps_alpha
        if settings.container == FRAMES or (isinstance(video, Sequence) and settings.container is None):
            return Film(video.width, video.height, video.bits, alpha, video.frame_count_estimate, FRAMES, "")
        codec = _codec(video, settings, alpha)
        inside = video.container if isinstance(video, Video) else None
        ending = ending_for(
            codec, path, settings.container, lambda name: loses(inside, path, name) if inside else 0
        )  # fmt: skip
        pixel_format_for(codec, video.pixel_format, alpha=alpha, size=(64, 64))  # the result's own is known later
        return Film(
            video.width, video.height, video.bits, alpha, video.frame_count_estimate, codec.name, ending,
            tuple(_notes(video, codec, ending, alpha, settings)),
        )  # fmt: skip


def writing_of(video: Video | Sequence, film: Film, settings: Settings, size: tuple[int, int]) -> Writing:
    """How a result of `size` (width, height) is encoded.

    Raises:
        UserError: the codec does not hold such frames.
    """
    codec = CODECS[film.codec]
    pixel_format = pixel_format_for(codec, video.pixel_format, alpha=film.alpha, size=size)
    as_rgb = pyav().VideoFormat(pixel_format).is_rgb
    colours = video.colours.for_rgb() if as_rgb else video.colours.for_yuv(size[1])
    colours = replace(colours, range=LIMITED) if codec.limited else colours
    frame = video.first_frame
    return Writing(
        codec.name, film.ending, *size, pixel_format, colours, video.time_base, video.rate, video.aspect,
        settings.crf, settings.preset, hdr.parameters(frame, codec.encoder) if frame and codec.hdr else {},
    )  # fmt: skip


def is_film(path: Path) -> bool:
    """Whether a file is taken for a film: by its name, or, where that says nothing, because it is no picture."""
    suffix = path.suffix.lower()
    if suffix in FILMS or is_pattern(path):
        return True
    if suffix in PICTURES or not path.is_file():
        return False
    try:
        read_header(path)
    except UserError:
        return _opens(path)
    return False


def _opens(path: Path) -> bool:
    try:
        with open_video(path):
            return True
    except UserError:
        return False


def stem_of(path: Path) -> str:
    """What a result is called: as the film; of `frame_%05d.png`, as what stands before the number, or `frames`."""
    return path.name.partition("%")[0].rstrip("_-. ") or FRAMES if is_pattern(path) else path.stem


def numbered_name(path: Path) -> str:
    """What the pictures of a result are called."""
    return Path(path.name).with_suffix(".png").name if is_pattern(path) else FIRST_NAME


def _codec(video: Video | Sequence, settings: Settings, alpha: bool) -> Codec:
    if settings.codec:
        codec = CODECS[settings.codec]
    else:
        asked = plain_ending(settings.container or video.path.suffix)
        source = video.stream.codec_context.name if isinstance(video, Video) else ""
        codec = codec_for(source, bits=video.bits, alpha=alpha, ending=asked)
        if settings.container and asked not in codec.containers and not alpha:
            fit = next((each for each in CODECS.values() if asked in each.containers), codec)
            codec = CODECS["av1"] if asked == ".webm" else fit
    check_choice(codec, settings.crf, settings.preset)
    return codec


def _notes(video: Video | Sequence, codec: Codec, ending: str, alpha: bool, settings: Settings) -> Iterator[str]:
    """What of a film is not kept, or not understood. Raises UserError for HDR's numbers that would be lost."""
    path, frame = video.path, video.first_frame
    if frame is None:
        return
    gone = hdr.lost(frame) + ([] if codec.hdr else hdr.still(frame))
    if gone and not settings.drop_hdr:
        way = "" if codec.hdr else "--codec hevc or av1 keeps what is not Dolby Vision or HDR10+; "
        raise UserError(f"{path}: {', '.join(gone)}: {codec.name} is not given it; {way}--drop-hdr leaves it out")
    if gone:
        yield f"{path}: {', '.join(gone)}: left out"
    if isinstance(video, Video) and not video.turn.known:
        yield f"{path}: asks to be turned by an angle that is no quarter; it is not turned"
    if video.interlaced:
        yield f"{path}: is interlaced, and its frames are taken as they are; deinterlace it first"
    aspect = video.aspect or Fraction(1)
    in_matroska = ending.lower() in (".mkv", ".webm")
    if aspect != 1 and in_matroska and codec.name not in ("h264", "hevc"):
        way = next((f"--container {each[1:]}" for each in codec.containers if each in (".mp4", ".mov")), "--codec h264")
        yield f"{path}: {codec.name} in {ending[1:]} does not keep its pixel aspect {aspect}; {way} does"
    if in_matroska and 1000 % video.time_base.denominator and isinstance(video, Video):
        yield f"{path}: {ending[1:]} counts milliseconds, and time stamps are rounded to them"
    if video.bits > (12 if codec.name == "hevc" else 10) and codec.name != "ffv1":
        yield f"{path}: its {video.bits} bits become 10; --codec ffv1 keeps them"
