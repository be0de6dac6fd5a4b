"""Damaged caches of decoded images: made anew, and never another picture."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import numpy as np

from attacks import attack
from attacks.damage import drawn, scrambled
from attacks.descriptions import TEXTS
from runs import pictures
from toolbox.io.images import find_images, read_image
from toolbox.io.raw_cache import RawCache


class Attack(attack.Attack):
    """The index or the pixels are damaged."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.root = pictures(folder / "photos", 3, 16)
        self.paths = find_images(self.root)
        self.arrays = [read_image(path) for path in self.paths]
        RawCache(self.paths, self.root, folder / "cache").prepare()

    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        shutil.copytree(self.folder / "cache", folder / "cache")
        cache = RawCache(self.paths, self.root, folder / "cache")
        files = draw.choice([[cache.raw], [cache.index], [cache.raw, cache.index]])
        for file in files:
            file.write_bytes(scrambled(file.read_bytes(), drawn(draw), TEXTS))
        found = [cache.read(index) for index in range(len(self.paths))]
        assert all(map(np.array_equal, found, self.arrays)), "another picture"
        return True
