"""Every image of several folders once, one by one: what sets of images are evaluated on."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from toolbox import ImageDataset, Sizes, Transform, UserError

from .folder import Folder, sizes_after, transformed
from .parts import wanted_part


class EveryImage(ImageDataset):
    """One image per sample, under its folder's name: `roots: {real_a: photos, real_b: paintings}`.

    Unpaired sets of unequal length are evaluated so, without repeating an image; metrics of sets collect their parts
    from different samples, and metrics of an image skip the samples that lack it. `transforms` apply to every image,
    then `transforms_of` to those of one name: a style oracle, say, by which photographs become the other domain. A
    root may be one image. Samples of two names make no batch: evaluate with `batch_size: 1`. `cache`, `hold_out` and
    `held_out` are as in `ImageFolder`, of the first root.
    """

    def __init__(
        self,
        *,
        roots: dict[str, str],
        transforms: list[Transform] | None = None,
        transforms_of: dict[str, list[Transform]] | None = None,
        cache: bool = False,
        hold_out: int | None = None,
        held_out: bool = False,
    ) -> None:
        if not roots:
            raise UserError("roots must name at least one folder, such as real_a: data/photos")
        if unknown := sorted(set(transforms_of or {}) - set(roots)):
            raise UserError(f"transforms_of names {unknown[0]!r}, but roots has only {', '.join(roots)}")
        self.keys, first = list(roots), wanted_part(hold_out, held_out)
        parts = {self.keys[0]: first}
        self.folders = {key: Folder(root, cache, parts.get(key)) for key, root in roots.items()}
        self.transforms = {key: [*(transforms or []), *(transforms_of or {}).get(key, [])] for key in roots}
        self.starts = list(accumulate((len(folder) for folder in self.folders.values()), initial=0))

    def __len__(self) -> int:
        return self.starts[-1]

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return `{key: (H, W, 3) uint8, "name": path below the key's root}`, transformed; folder after folder."""
        key, number = self._place(index)
        folder = self.folders[key]
        images = transformed({key: folder.read(number)}, self.transforms[key], rng, folder.paths[number])
        return {**images, "name": folder.name(number)}

    def named_files(self) -> list[tuple[str, Path]]:
        """The images of all roots."""
        return [file for key, folder in self.folders.items() for file in folder.named_files(f"{key}: ")]

    def sizes_of(self, index: int) -> Sizes | None:
        """The image's size, transformed."""
        key, number = self._place(index)
        folder = self.folders[key]
        return sizes_after({key: folder.size(number)}, self.transforms[key], folder.paths[number])

    def _place(self, index: int) -> tuple[str, int]:
        place = bisect_right(self.starts, index) - 1
        return self.keys[place], index - self.starts[place]

    def examples(self) -> list[int]:
        """The first image of each folder."""
        return self.starts[:-1]
