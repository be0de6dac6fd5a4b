"""Opening a film safely: one local file, a container that reaches no other, a size that memory can hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from toolbox.io.errors import UserError
from toolbox.io.files import open_regular
from toolbox.io.impostor import impostor, picture_of_another_name

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".divx", ".ts", ".m2ts", ".mts", ".m2t", ".mpg", ".mpeg"),
    *(".m1v", ".m2v", ".mpv", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".ogv", ".mxf", ".y4m", ".nut"),
    *(".dv", ".rm", ".rmvb", ".ivf", ".obu", ".h264", ".264", ".avc", ".h265", ".265", ".hevc", ".mj2", ".mjpeg"),
    *(".mjpg", ".wtv", ".gxf", ".nsv", ".amv", ".mtv", ".roq", ".vc1", ".dnxhd", ".cavs", ".drc", ".bik", ".smk"),
)
"""The films that folders are searched for. A file that is named may have any suffix."""

_NOT_FILMS = {
    *("hls", "dash", "concat", "imf", "webm_dash_manifest"),  # lists of other files
    *("rtp", "rtsp", "sdp", "sap", "mpjpeg"),  # other machines
    *("image2", "image2pipe", "lavfi", "fbdev", "x11grab", "video4linux2,v4l2", "alsa", "oss"),  # no files
    *("tty", "bin", "xbin", "adf", "idf", "cdg", "ffmetadata", "data", "rawvideo", "vobsub"),  # text drawn as pictures
    *("gif", "apng", "fits", "webp_pipe", "sga"),  # pictures, which `infer` reads as such
}
"""FFmpeg's readers that a film needs none of: each would open what its file names, or make a film of anything."""
PROBED = 1 << 20
"""Bytes read at a time."""


def pyav() -> Any:
    """The module `av`.

    Raises:
        UserError: it is not installed.
    """
    try:
        import av  # says nothing by itself; av.logging would have decoders' threads wait for Python at its end
    except ImportError:
        raise UserError("films need PyAV; install it with pip install 'gan-toolbox[video]'") from None
    return av


def reason_of(error: BaseException) -> str:
    """What PyAV says of a failure, on one line, without the file's name and FFmpeg's numbers."""
    text = str(getattr(error, "strerror", None) or "") or " ".join(str(error).split())
    return text.partition(": '")[0][:120] or type(error).__name__


def failures() -> tuple[type[BaseException], ...]:
    """What PyAV raises for files that it did not expect."""
    av = pyav()
    return (av.error.FFmpegError, ValueError, LookupError, TypeError, OverflowError, ArithmeticError, MemoryError)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """PyAV's container of a film.

    No other file, no network and no device is opened, whatever the film names: playlists are refused.

    Raises:
        UserError: naming the file that is missing, no regular one, or no film.
    """
    av = pyav()
    try:
        file = open_regular(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    with file:
        try:
            container = av.open(
                file, "r", options={"format_whitelist": _readers()}, io_open=_refused, buffer_size=PROBED,
                **_tolerant(),
            )  # fmt: skip
        except (OSError, *failures()) as error:
            reason = impostor(path) or picture_of_another_name(path)
            reason = reason or f"is no film that can be read ({reason_of(error)})"
            raise UserError(f"{path}: {reason}") from None
        try:
            yield container
        finally:
            container.close()


def pictures_of(container: Any, path: Path) -> Any:
    """The stream that is the film: the best that is no cover. Raises UserError where there is none."""
    av = pyav()
    cover = av.stream.Disposition.attached_pic
    found = [each for each in container.streams.video if not each.disposition & cover and each.codec_context]
    if not found:
        raise UserError(f"{path}: holds no moving pictures" + (", sound alone" if container.streams.audio else ""))
    best = container.streams.best("video")
    return best if best in found else found[0]


def _tolerant() -> dict[str, Any]:
    """What makes PyAV read tags that are no UTF-8; from 19 on it has no setting for it."""
    import av

    return {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}


@lru_cache(1)
def _readers() -> str:
    """FFmpeg's list of the readers that may be used, by the first name of each."""
    av = pyav()
    names = set()
    for name in av.formats_available:
        try:
            made = av.ContainerFormat(name, "r")
        except ValueError:  # it is only written
            continue
        if name not in _NOT_FILMS and not name.endswith("_pipe") and made.is_input:
            names.add(name.partition(",")[0])
    return ",".join(sorted(names))


def _refused(url: str, flags: int, options: object) -> Any:
    raise OSError(1, f"it would open another file: {url[:80]}")
