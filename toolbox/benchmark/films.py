"""Films under `evaluate`: two video files frame by frame, and metrics that see each frame beside the one before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from toolbox.contracts.clip_metric import ClipMetric, Frame
from toolbox.io.errors import UserError
from toolbox.io.search import SUFFIXES
from toolbox.video.reading import open_video


@dataclass(frozen=True)
class FramePair:
    """A frame of a film and its reference, (H, W, 3) uint8 each."""

    name: str
    prediction: Path
    reference: Path
    arrays: tuple[np.ndarray, np.ndarray]
    film: str = ""

    def images(self, max_pixels: int) -> list[np.ndarray]:
        """Both; they are read already."""
        return list(self.arrays)


class Watched:
    """A metric of motion that is shown the frames of films one after another."""

    def __init__(self, metric: ClipMetric) -> None:
        self.metric, self.parts = metric, list[tuple[float, ...]]()
        self._before: tuple[str, Frame] | None = None

    def see(self, frame: Frame, film: str) -> None:
        """The next frame; what is of another film begins anew. Raises ValueError where it cannot be measured."""
        before, self._before = self._before, (film, frame)
        if before is not None and before[0] == film:
            part = self.metric.between(before[1], frame)
            if part is not None:
                self.parts.append(part)

    def total(self) -> float:
        """The metric of all that was seen. Raises UserError where no two frames followed each other."""
        if not self.parts:
            raise UserError(f"{type(self.metric).__name__}: no two frames of one scene follow each other")
        try:
            return self.metric.total(self.parts)
        except ValueError as error:
            raise UserError(str(error)) from error


def is_film(path: Path) -> bool:
    """Whether a path is a video file: a file that is no picture."""
    return path.is_file() and path.suffix.lower() not in SUFFIXES


def frames_of_film(path: Path, max_pixels: int) -> Iterator[tuple[str, np.ndarray]]:
    """The frames (H, W, 3) uint8 of a video file, one by one, with their names; 16 bits are rounded to 8.

    Raises:
        UserError: naming the file, and the frame that is damaged.
    """
    with open_video(path, max_pixels=max_pixels) as video:
        for frame in video:
            if frame.problem:
                raise UserError(f"{path}: frame {frame.number}: {frame.problem}; measure what is whole")
            array = frame.array[..., :3]
            if array.dtype == np.uint16:
                array = ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
            yield f"{path.name} frame {frame.number}", array


def film_pairs(prediction: Path, reference: Path, max_pixels: int, *, partial: bool = False) -> Iterator[FramePair]:
    """Two films frame by frame, in their order, whatever their time stamps.

    Raises:
        UserError: one of the two is no film; or one is longer, unless `partial` leaves the rest of it out.
    """
    for path, other in ((prediction, reference), (reference, prediction)):
        if not is_film(path):
            raise UserError(f"{path}: is no video file, and {other} is one; give two of a kind")
    both = zip_longest(frames_of_film(prediction, max_pixels), frames_of_film(reference, max_pixels))
    for number, (one, other) in enumerate(both):
        if one is None or other is None:
            if partial:
                return
            short = prediction if one is None else reference
            raise UserError(f"{short}: ends after {number} frames, and the other goes on; --partial leaves those out")
        yield FramePair(f"{number:06d}", prediction, reference, (one[1], other[1]))
