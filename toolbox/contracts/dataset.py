"""The contracts of data: a dataset reads one sample, a transform changes it; both draw from the passed generator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np

Images = dict[str, np.ndarray]
"""Named images of one sample, RGB: (H, W, C) uint8, uint16 or float32 in [0, 1]; clips (T, H, W, C), masks (H, W)."""
Sizes = dict[str, tuple[int, int]]
"""Height and width of each named image of one sample."""


class Transform(ABC):
    """Changes the named images of one sample together, so that aligned images stay aligned."""

    stands_in = False
    """Whether it makes what real data would bring, as a filter that stands for a painter; own data do without it."""

    @abstractmethod
    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        """Return the sample's images, each of the type that it came in; what is random comes from `rng`.

        Count height and width from the end (`image[..., top:below, :, :]`): then clips are changed alike in all their
        pictures. Where there may be masks (H, W), height is the axis `max(image.ndim - 3, 0)`. The given arrays may be
        read-only views of a cache: make new ones instead of writing into them.
        """

    def sizes_after(self, sizes: Sizes) -> Sizes | None:
        """The sizes that images of these sizes will have; raises UserError where `__call__` would refuse them.

        By this a run looks at all of its images before it begins, from their headers. None, the default, is a
        transform that does not say: what comes after it is looked at when it is drawn.
        """
        return None


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
        """Return the named values of sample `index`, and `name`: the file's path below its root.

        | value | of a sample | in the training step |
        |---|---|---|
        | picture | (H, W, C) uint8, uint16, or float32 in [0, 1] | float32 (B, C, H, W) in [0, 1] |
        | clip | (T, H, W, C), the same types | (B, T, C, H, W) |
        | mask | (H, W) bool, uint8, or float32 | (B, 1, H, W) |
        | label, number | an int, a float, or a numpy array of one dimension | int64 or float32 (B,) or (B, n) |
        | tensor | as it is to be, such as (C, H, W) in [0, 1] | the same, stacked |
        """

    def sizes_of(self, index: int) -> Sizes | None:
        """Sizes of the images that sample `index` will have, from headers alone; None, the default, does not say.

        Raises UserError, which names the file, where `sample` would refuse it. Several threads call it at once.
        """
        return None

    def named_files(self) -> list[tuple[str, Path]] | None:
        """Every file that samples are read from: its name, the same wherever the data lie, and its path.

        By them a resumed run tells that its data were exchanged. None, the default, lets it count the samples alone.
        """
        return None

    def examples(self) -> list[int]:
        """Samples that together have every image which any sample has: the first, unless they differ in names."""
        return [0]
