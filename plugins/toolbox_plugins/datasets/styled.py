"""Photographs, each with a painting of one of several styles and that style's number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from toolbox import ImageDataset, Sizes, Transform, UserError

from .folder import Folder, sizes_after, transformed
from .parts import wanted_part


class StyledFolders(ImageDataset):
    """A photograph `real_a`, a painting `real_b` that has nothing to do with it, and its style's number `style_b`.

    What `PaintedSuperResolution` trains on where discriminators judge its paintings. An epoch shows each photograph
    once; every style is drawn as often as every other, and each of its paintings too. `transforms` apply to either
    image by itself, then `transforms_a` and `transforms_b`. `cache` and lists of folders are as in `ImageFolder`;
    so are `hold_out` and `held_out`, of the photographs.

    Args:
        root_a: the photographs.
        styles: a folder, or several, of paintings for each style by its name, in the order of the generator's `styles`.
    """

    def __init__(
        self,
        *,
        root_a: str | list[str],
        styles: dict[str, str | list[str]],
        transforms: list[Transform] | None = None,
        transforms_a: list[Transform] | None = None,
        transforms_b: list[Transform] | None = None,
        cache: bool = False,
        hold_out: int | None = None,
        held_out: bool = False,
    ) -> None:
        if not styles:
            raise UserError("styles must name at least one style with its folder")
        self.photographs = Folder(root_a, cache, wanted_part(hold_out, held_out))
        self.styles = {name: Folder(root, cache) for name, root in styles.items()}
        self.transforms_a = [*(transforms or []), *(transforms_a or [])]
        self.transforms_b = [*(transforms or []), *(transforms_b or [])]

    def __len__(self) -> int:
        return len(self.photographs)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return `{real_a: (H, W, 3) uint8, real_b: (H', W', 3) uint8, style_b: a number, "name": ...}`."""
        style = int(rng.integers(len(self.styles)))
        paintings = list(self.styles.values())[style]
        place = int(rng.integers(len(paintings)))
        read = {"real_a": self.photographs.read(index)}
        images = transformed(read, self.transforms_a, rng, self.photographs.paths[index])
        images |= transformed({"real_b": paintings.read(place)}, self.transforms_b, rng, paintings.paths[place])
        return {**images, "style_b": style, "name": self.photographs.name(index)}

    def named_files(self) -> list[tuple[str, Path]]:
        """The photographs and all paintings."""
        files = self.photographs.named_files("real_a: ")
        return [*files, *(file for name, each in self.styles.items() for file in each.named_files(f"{name}: "))]

    def sizes_of(self, index: int) -> Sizes | None:
        """The sizes of photograph `index` and of some painting; which goes with which is drawn later."""
        every = [(each, place) for each in self.styles.values() for place in range(len(each))]
        paintings, place = every[index % len(every)]
        size_a, size_b = {"real_a": self.photographs.size(index)}, {"real_b": paintings.size(place)}
        sizes_a = sizes_after(size_a, self.transforms_a, self.photographs.paths[index])
        sizes_b = sizes_after(size_b, self.transforms_b, paintings.paths[place])
        return None if sizes_a is None or sizes_b is None else {**sizes_a, **sizes_b}
