"""Small networks for tests of films, and a run over a clip that others kill: `small_films.py SOURCE TARGET …`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from toolbox.inference.options import Options
from toolbox.inference.predictor import Predictor
from toolbox.inference.video import translate
from toolbox.inference.video.job import film_of
from toolbox.inference.video.settings import Settings
from toolbox.video.reading import VideoFrame, open_video
from video_clips import clip


class Twice(nn.Module):
    """Every pixel two by two."""

    scale, multiple, keeps_colors = 2, 1, True

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.interpolate(images, scale_factor=2, mode="nearest")


class Trails:
    """A filter that remembers: half of the result before shines through."""

    def __init__(self) -> None:
        self.before: np.ndarray | None = None

    def __call__(self, source: np.ndarray, result: np.ndarray) -> np.ndarray:
        before = result if self.before is None else self.before
        self.before = ((before.astype(np.uint32) + result) // 2).astype(result.dtype)
        return self.before

    def state(self) -> dict[str, np.ndarray]:
        return {} if self.before is None else {"before": self.before}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        self.before = state.get("before")


class Remembers(nn.Module):
    """Half of the memory shines through: `step`."""

    scale, multiple, keeps_colors = 1, 1, True

    def forward(self, images: Tensor) -> Tensor:
        return images

    def step(self, images: Tensor, memory: dict[str, Tensor] | None) -> tuple[Tensor, dict[str, Tensor]]:
        made = images if memory is None else (images + memory["before"]) / 2
        return made, {"before": made}


class Middle(nn.Module):
    """The mean of five frames."""

    scale, multiple, keeps_colors, frames = 1, 1, True, 5

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(1)


class Clip(nn.Module):
    """Frames (T, C, H, W): each with half of the one before."""

    scale, multiple, keeps_colors, clip = 1, 1, True, True

    def forward(self, frames: Tensor) -> Tensor:
        return torch.cat([frames[:1], (frames[1:] + frames[:-1]) / 2])


def frames_of(path: Path) -> list[VideoFrame]:
    with open_video(path) as video:
        return list(video)


def twice(array: np.ndarray) -> np.ndarray:
    return array.repeat(2, 0).repeat(2, 1)


def lossless(folder: Path, **options: object) -> Path:
    """A clip whose pixels come back as they were written."""
    return clip(folder / "a.mkv", codec="ffv1", pixel_format="bgr0", tags=None, **options)  # pyright: ignore


def translated(
    source: Path, target: Path, network: nn.Module | None = None, *, piece: int = 5, batch: int | None = None,
    notes: list[str] | None = None, delay: float = 0.0, predictor: Predictor | None = None, **settings: object,
) -> Path:  # fmt: skip
    """The film of `source` through a network, as `target` with the ending that it gets."""
    torch.manual_seed(0)
    settings.setdefault("temporal", 0.0)  # pixels are compared
    chosen = Settings(**settings)  # pyright: ignore[reportArgumentType]
    film = film_of(source, chosen, keeps_alpha=True)
    predictor = predictor or Predictor(network or Twice(), options=Options(backend="torch"))
    told: list[str] = [] if notes is None else notes
    told += film.notes
    made = target.with_name(target.name + film.ending)
    run = translate.FilmTranslator(
        predictor, chosen, told.append, lambda progress: time.sleep(delay), batch=batch, piece=piece
    )
    run(source, made, film)
    return made


if __name__ == "__main__":
    translate.filter_of = lambda temporal: Trails()
    translated(Path(sys.argv[1]), Path(sys.argv[2]), codec=sys.argv[3], delay=float(sys.argv[4]), container="mkv")
    print("done")
