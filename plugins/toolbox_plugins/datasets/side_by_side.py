"""Aligned pairs that lie side by side in one file, as pix2pix's data sets come."""

from __future__ import annotations

from typing import Any

import numpy as np

from toolbox import ImageDataset, Transform, UserError

from .folders import Folder, transformed


class SideBySide(ImageDataset):
    """Files of two or more aligned images of one size in a row: `keys: [real_a, real_b]` names them from the left.

    The other direction (BtoA) is the other order of the keys. `transforms` apply to the images of a sample together.
    `cache` is as in `ImageFolder`.
    """

    def __init__(
        self,
        *,
        root: str,
        keys: list[str] | None = None,
        transforms: list[Transform] | None = None,
        cache: bool = False,
    ) -> None:
        self.keys = ["real_a", "real_b"] if keys is None else list(keys)
        if len(self.keys) < 2 or len(set(self.keys)) < len(self.keys):
            raise UserError(f"keys must be two names or more, each once, got {', '.join(self.keys) or 'none'}")
        self.folder, self.transforms = Folder(root, cache), transforms or []

    def __len__(self) -> int:
        return len(self.folder)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return one image (H, W, 3) uint8 for each key, and `name`. Raises UserError for a width that has no parts."""
        image, file = self.folder.read(index), self.folder.paths[index]
        count, width = len(self.keys), image.shape[1]
        if width % count:
            raise UserError(
                f"{file}: {image.shape[0]}x{width} is not {count} images of one size side by side "
                f"({', '.join(self.keys)})"
            )
        part = width // count
        images = {key: image[:, i * part : (i + 1) * part] for i, key in enumerate(self.keys)}
        images = transformed(images, self.transforms, rng, file)
        return {**{key: np.ascontiguousarray(each) for key, each in images.items()}, "name": self.folder.name(index)}
