"""Aligned pairs that lie side by side in one file, as pix2pix's data sets come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from toolbox import ImageDataset, Sizes, Transform, UserError

from .folder import Folder, sizes_after, transformed
from .parts import wanted_part


class SideBySide(ImageDataset):
    """Files of two or more aligned images of one size in a row: `keys: [real_a, real_b]` names them from the left.

    The other direction (BtoA) is the other order of the keys. `transforms` apply to the images of a sample together.
    `cache`, `hold_out` and `held_out` are as in `ImageFolder`.
    """

    def __init__(
        self,
        *,
        root: str,
        keys: list[str] | None = None,
        transforms: list[Transform] | None = None,
        cache: bool = False,
        hold_out: int | None = None,
        held_out: bool = False,
    ) -> None:
        self.keys = ["real_a", "real_b"] if keys is None else list(keys)
        if len(self.keys) < 2 or len(set(self.keys)) < len(self.keys):
            raise UserError(f"keys must be two names or more, each once, got {', '.join(self.keys) or 'none'}")
        self.folder = Folder(root, cache, wanted_part(hold_out, held_out))
        self.transforms = transforms or []

    def __len__(self) -> int:
        return len(self.folder)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return one image (H, W, 3) uint8 for each key, and `name`. Raises UserError for a width that has no parts."""
        image, file = self.folder.read(index), self.folder.paths[index]
        part = self._part(file, image.shape[0], image.shape[1])
        images = {key: image[:, i * part : (i + 1) * part] for i, key in enumerate(self.keys)}
        images = transformed(images, self.transforms, rng, file)
        return {**{key: np.ascontiguousarray(each) for key, each in images.items()}, "name": self.folder.name(index)}

    def named_files(self) -> list[tuple[str, Path]]:
        """The files, each of several images."""
        return self.folder.named_files()

    def sizes_of(self, index: int) -> Sizes | None:
        """The sizes of the parts, transformed together."""
        file, (height, width) = self.folder.paths[index], self.folder.size(index)
        return sizes_after(dict.fromkeys(self.keys, (height, self._part(file, height, width))), self.transforms, file)

    def _part(self, file: Path, height: int, width: int) -> int:
        """Width of one image of the row."""
        count = len(self.keys)
        if width % count:
            raise UserError(
                f"{file}: {height}x{width} is not {count} images of one size side by side ({', '.join(self.keys)})"
            )
        return width // count
