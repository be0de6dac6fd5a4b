"""Real pairs among pictures whose inputs a degradation makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from toolbox import ImageDataset, Sizes, UserError


class MixedPairs(ImageDataset):
    """Samples of two datasets in one stream: of `real`, which has pairs, a `real_share`, and of `synthetic` the rest.

    `synthetic` gives targets alone, an `ImageFolder` say, and `model.degradation` makes their inputs; it does nothing
    to real pairs. An epoch shows each synthetic picture once, and so many real pairs, drawn at random, that the share
    is kept to one sample; a batch has as many of each as its places in the epoch's order give it. Crops of both must
    be of one size, and the degradation none that is `on_device`: that one makes inputs for whole batches alone.

    Args:
        inputs: what the degradation makes, and only real pairs bring; `lr`, unless it is named.

    Raises:
        UserError: `real_share` is no share between 0 and 1, or a dataset is empty.
    """

    def __init__(
        self, *, real: ImageDataset, synthetic: ImageDataset, real_share: float = 0.5, inputs: list[str] | None = None
    ) -> None:
        if not 0 < real_share < 1:
            raise UserError(f"real_share must be above 0 and below 1, got {real_share}; use one dataset alone instead")
        for name, each in (("real", real), ("synthetic", synthetic)):
            if not len(each):
                raise UserError(f"{name}: holds no images")
        self.real, self.synthetic, self.inputs = real, synthetic, inputs or ["lr"]
        self.real_count = max(1, round(len(synthetic) * real_share / (1 - real_share)))

    def __len__(self) -> int:
        return self.real_count + len(self.synthetic)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """A pair, its pictures as float32 in [0, 1], or a target; `name` says of which dataset it is."""
        if index >= self.real_count:
            found = self.synthetic.sample(index - self.real_count, rng)
            return {**found, "name": f"synthetic/{found['name']}"}
        found = self.real.sample(int(rng.integers(len(self.real))), rng)
        return {**found, **self.as_made(found), "name": f"real/{found['name']}"}

    def as_made(self, sample: dict[str, Any]) -> dict[str, Any]:
        """The inputs of a real pair, of the type in which a degradation gives them."""
        for name in self.inputs:
            if not isinstance(sample.get(name), np.ndarray):
                raise UserError(f"inputs: a real pair has no picture {name!r}; it has {', '.join(sample)}")
        pictures = {name: sample[name] for name in self.inputs}
        return {
            name: value.astype(np.float32) / np.float32(np.iinfo(value.dtype).max if value.dtype.kind == "u" else 1)
            for name, value in pictures.items()
        }

    def sizes_of(self, index: int) -> Sizes | None:
        """The sizes of a synthetic picture, or of one of the real pairs, which is drawn later."""
        if index >= self.real_count:
            return self.synthetic.sizes_of(index - self.real_count)
        return self.real.sizes_of(index % len(self.real))

    def named_files(self) -> list[tuple[str, Path]] | None:
        """The files of both, where both tell them."""
        real, synthetic = self.real.named_files(), self.synthetic.named_files()
        if real is None or synthetic is None:
            return None
        return [
            (f"{kind}/{name}", path) for kind, each in (("real", real), ("synthetic", synthetic)) for name, path in each
        ]

    def examples(self) -> list[int]:
        """One of each."""
        return [0, self.real_count]
