"""What the process that computes does with a film: the result as `infer` makes it, and what a browser plays."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from toolbox.io.errors import RunFailed, UserError
from toolbox.studio.film_process import facts_of, write_poster
from toolbox.studio.films import FRAME_PIXELS, refuse_long
from toolbox.video.colours import BT709, LIMITED, Colours, to_frame
from toolbox.video.opening import failures, pyav
from toolbox.video.reading import open_video

if TYPE_CHECKING:
    from toolbox.inference.predictor import Predictor
    from toolbox.inference.video.progress import Progress

SIDE = 1280
"""The longest side of a preview."""
MOST_DECODED = 2 * FRAME_PIXELS
"""Pixels of a frame of a result, which is ours."""


def translate_film(
    predictor: Predictor, order: dict[str, Any], note: Callable[[str], None], tell: Callable[[Progress], None],
    alive: Callable[[], None],
) -> dict[str, Any]:  # fmt: skip
    """Make the result of an order's film; what of it and of its result browsers cannot play gets a preview.

    Args:
        tell: hears of each frame, and may raise to stop.
        alive: is asked now and then, while previews are made, and may raise to stop.

    Raises:
        UserError: the film, or what was asked for, is at fault.
    """
    from toolbox.inference.video.job import film_of
    from toolbox.inference.video.settings import Settings
    from toolbox.inference.video.translate import FilmTranslator

    source, settings, most = Path(order["source"]), Settings(**order["films"]), order["max_pixels"]
    film = film_of(source, settings, keeps_alpha=predictor.alpha != "drop", max_pixels=most)
    target = Path(f"{order['target']}{film.ending}")
    for line in film.notes:
        note(line)

    def told(progress: Progress) -> None:
        refuse_long(source.name, None, progress.done)
        tell(progress)

    begun = time.perf_counter()
    try:
        FilmTranslator(predictor, settings, note, told, max_pixels=most)(source, target, film)
    except RunFailed as error:
        raise UserError(str(error)) from None
    seconds = time.perf_counter() - begun
    with open_video(target) as video:
        facts = facts_of(video)
        write_poster(video, Path(order["target_poster"]))
    previews = {}
    for name, file in (("source", source), ("target", target)):
        with open_video(file, max_pixels=MOST_DECODED) as video:
            plays = facts_of(video).plays(file)
        if not plays and (preview := write_preview(file, Path(order[f"{name}_preview"]), alive)):
            previews[name] = str(preview)
        elif not plays:
            note("its first frame is shown, since no film for browsers could be made of it")
    sizes = {"width": facts.width, "height": facts.height, "scale": predictor.scale, "tile": predictor.tile}
    return {
        **sizes, **facts.shown(), "length": facts.seconds, "target": str(target), "seconds": seconds,
        "previews": previews, "plays": facts.plays(target),
    }  # fmt: skip


def write_preview(file: Path, target: Path, alive: Callable[[], None]) -> Path | None:
    """Write a film as one that browsers play, h264 of 8 bits and 4:2:0 without sound, 1280 pixels wide or high at most.

    None where this fails: the film itself is what counts.
    """
    if target.exists():
        return target
    av = pyav()
    half = target.with_suffix(f".half{target.suffix}")  # which goes with its upload, whatever ends this process
    try:
        with open_video(file, max_pixels=MOST_DECODED) as video, av.open(str(half), "w", format="mp4") as out:
            fit = min(1.0, SIDE / max(video.width, video.height))
            width, height = (max(2, round(side * fit / 2) * 2) for side in (video.width, video.height))
            stream: Any = out.add_stream("libx264", rate=video.rate, options={"preset": "veryfast", "crf": "20"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.time_base = video.time_base
            colours = Colours(BT709, LIMITED, BT709, BT709)
            for frame in video.frames():
                alive()
                pixels = frame.array[..., :3]
                pixels = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
                pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
                encoded = to_frame(pixels, colours, "yuv420p")
                encoded.pts, encoded.time_base = frame.pts, video.time_base
                out.mux(stream.encode(encoded))
            out.mux(stream.encode(None))
        half.replace(target)
    except (UserError, OSError, RuntimeError, *failures()):
        return None
    finally:
        half.unlink(missing_ok=True)
    return target
