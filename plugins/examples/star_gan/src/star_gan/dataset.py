"""Folders as domains: a picture and the number of the folder that it lies in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from toolbox import ImageDataset, Transform, UserError, images_at, read_image


class DomainFolders(ImageDataset):
    """The pictures of several folders below `root`, one folder for each domain; `label` is the folder's number.

    An epoch shows every picture once. `transforms` change the picture alone.
    """

    def __init__(self, *, root: str, domains: list[str], transforms: list[Transform] | None = None) -> None:
        if len(domains) < 2:
            raise ValueError(f"domains must name two folders or more, got {domains}")
        self.root, self.transforms = Path(root).expanduser(), transforms or []
        self.files = [(file, label) for label, name in enumerate(domains) for file in images_at(self.root / name)]

    def __len__(self) -> int:
        return len(self.files)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return `{"picture": (H, W, 3) uint8, "label": int, "name": path below root}`."""
        file, label = self.files[index]
        images = {"picture": read_image(file)}
        try:
            for transform in self.transforms:
                images = transform(images, rng)
        except UserError as error:
            raise UserError(f"{file}: {error}") from error
        return {**images, "label": label, "name": file.relative_to(self.root).as_posix()}
