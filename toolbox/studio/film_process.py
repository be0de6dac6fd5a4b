"""Looks at one film, and ends: `python -m toolbox.studio.film_process FILE POSTER MAX_PIXELS` tells JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from toolbox.io.errors import UserError
from toolbox.studio.films import FilmFacts
from toolbox.studio.worker import alone, be_first_to_go
from toolbox.video.reading import Video, open_video

SIDE = 1280
"""The longest side of a first frame that is shown."""


def facts_of(video: Video) -> FilmFacts:
    """What an opened film is."""
    seconds = None if video.seconds is None else round(float(video.seconds), 3)
    return FilmFacts(
        video.width, video.height, video.frame_count_estimate, seconds, round(float(video.rate), 3),
        video.stream.codec_context.codec.canonical_name, video.pixel_format,
    )  # fmt: skip


def write_poster(video: Video, target: Path) -> None:
    """Write a film's first frame as a JPEG of 8 bits; frames of it are read afterwards no more."""
    for frame in video.frames():
        pixels = frame.array[..., :3]
        image = Image.fromarray(pixels if pixels.dtype == "uint8" else (pixels >> 8).astype("uint8"))
        image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
        image.save(target, "JPEG", quality=85)
        return


def main() -> int:
    """Tell, and end."""
    be_first_to_go()
    alone()
    file, poster, max_pixels = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    try:
        with open_video(file, max_pixels=max_pixels) as video:
            told = asdict(facts_of(video))
            write_poster(video, poster)
    except (UserError, OSError, ValueError, MemoryError) as error:
        told = {"problem": str(error) if isinstance(error, UserError) else f"{file.name}: cannot be read as a film"}
    sys.stdout.write(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
