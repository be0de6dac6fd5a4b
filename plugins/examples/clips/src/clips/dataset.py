"""Clips without a film: a window that drifts over a photograph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from toolbox import ImageDataset, UserError, images_at, read_image


class MovingClips(ImageDataset):
    """`frames` windows of `size` pixels of each picture below `root`, as a camera that pans would see them.

    The window moves by the same step from frame to frame, up to `motion` pixels along each axis, and by one pixel more
    or less where a hand would shake.
    """

    def __init__(self, *, root: str, frames: int = 5, size: int = 64, motion: int = 3) -> None:
        if frames < 2 or size < 8 or motion < 0:
            raise ValueError(f"frames must be 2 or more, size 8, motion 0, got {frames}, {size} and {motion}")
        self.root, self.frames, self.size, self.motion = Path(root).expanduser(), frames, size, motion
        self.files = images_at(self.root)

    def __len__(self) -> int:
        return len(self.files)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return `{"hr": (frames, size, size, 3) uint8, "name": path below root}`."""
        file = self.files[index]
        picture = read_image(file)  # (H, W, 3)
        step = rng.integers(-self.motion, self.motion + 1, 2)
        shake = rng.integers(-1, 2, (self.frames, 2)) * (self.motion > 0)
        path = step * np.arange(self.frames)[:, None] + shake  # (frames, 2): rows and columns
        path -= path.min(0)
        room = np.array(picture.shape[:2]) - self.size - path.max(0)
        if room.min() < 0:
            raise UserError(f"{file}: is too small for clips of {self.size} pixels; choose a smaller size or motion")
        corners = path + rng.integers(0, room + 1)
        clip = [picture[y : y + self.size, x : x + self.size] for y, x in corners]
        return {"hr": np.stack(clip), "name": file.relative_to(self.root).as_posix()}
