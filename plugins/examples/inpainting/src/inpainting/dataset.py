"""Photographs, each with a hole at random: the photograph is what should be in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from toolbox import ImageDataset, UserError, images_at, read_image


class PicturesWithHoles(ImageDataset):
    """A random square of `size` pixels of each picture below `root`, and a mask of it with a rectangular hole.

    The hole's sides are from half of `hole` to `hole` pixels, each by itself.
    """

    def __init__(self, *, root: str, size: int = 96, hole: int = 32) -> None:
        if not 2 <= hole <= size:
            raise ValueError(f"hole must be from 2 to size, got {hole} and {size}")
        self.root, self.size, self.hole = Path(root).expanduser(), size, hole
        self.files = images_at(self.root)

    def __len__(self) -> int:
        return len(self.files)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return `{"picture": (size, size, 3) uint8, "mask": (size, size) bool, true in the hole, "name": path}`."""
        file = self.files[index]
        picture = read_image(file)  # (H, W, 3)
        if min(picture.shape[:2]) < self.size:
            raise UserError(f"{file}: is smaller than {self.size} pixels; choose a smaller size")
        top, left = (int(rng.integers(side - self.size + 1)) for side in picture.shape[:2])
        height, width = rng.integers(self.hole // 2, self.hole + 1, 2)
        y, x = int(rng.integers(self.size - height + 1)), int(rng.integers(self.size - width + 1))
        mask = np.zeros((self.size, self.size), bool)
        mask[y : y + height, x : x + width] = True
        cut = picture[top : top + self.size, left : left + self.size]
        return {"picture": cut, "mask": mask, "name": file.relative_to(self.root).as_posix()}
