"""The contracts of data: a dataset reads one sample, a transform changes it; both draw from the passed generator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

Images = dict[str, np.ndarray]
"""Named images of one sample, each (H, W, C), RGB, uint8."""


class Transform(ABC):
    """Changes the named images of one sample together, so that aligned images stay aligned."""

    @abstractmethod
    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        """Return the sample's images, each (H, W, C) uint8; what is random comes from `rng`.

        The given arrays may be read-only views of a cache: make new ones instead of writing into them.
        """


class ImageDataset(ABC):
    """Knows how many samples there are and reads one.

    `sample` must not keep state between calls and must draw from `rng` alone: the generator is keyed by seed and
    position in the run, so that a resumed run sees exactly the data that the uninterrupted one would have seen.
    """

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples in one epoch."""

    @abstractmethod
    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return the named images (H, W, C) uint8 of sample `index`, and `name`: the file's path below its root."""

    def examples(self) -> list[int]:
        """Samples that together have every image which any sample has: the first, unless they differ in names."""
        return [0]
