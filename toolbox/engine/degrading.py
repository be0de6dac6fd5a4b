"""The inputs that `model.degradation` makes, in the loader's workers: a function of a sample and of its place in a run.

There they cost the device nothing. Every sample has a generator of its own, of (seed, position) in training and of its
name in an evaluation, so that neither batch size nor workers change it, and a resumed run needs no state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from toolbox.contracts.degradation import Degradation
from toolbox.io.errors import UserError


class Degrading:
    """Makes the missing inputs of samples: `derived` says of which image each is made."""

    def __init__(self, degradation: Degradation, derived: Mapping[str, str]) -> None:
        self.degradation, self.derived = degradation, dict(derived)

    def train(self, sample: dict[str, Any], seed: int, position: int) -> dict[str, Any]:
        """The sample at a position of the run with its inputs, all cut to the degradation's `crop` if it has one."""
        made = dict(sample)
        for number, (name, source) in enumerate(self.missing(sample)):
            rng = np.random.default_rng((seed, 3, position, number))
            made[source], made[name] = cut(self.degradation, sample[source], source, rng)
        return made

    def evaluate(self, sample: dict[str, Any]) -> dict[str, Any]:
        """The sample with its inputs, each damaged always in the same way, by the image's name; nothing is cut."""
        made = dict(sample)
        for name, source in self.missing(sample):
            rng = np.random.default_rng(crc32(str(sample.get("name", "")).encode()))
            made[name] = degraded(self.degradation, sample[source], source, rng)
        return made

    def missing(self, sample: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The inputs that the sample lacks, each with the image that it has to make it from."""
        return [(name, source) for name, source in self.derived.items() if name not in sample and source in sample]


def cut(degradation: Degradation, image: Tensor, name: str, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """An image and what a degradation made of it, both cut to its `crop` at one random place.

    What is damaged is the larger image: so no border that a blur had to invent is left.
    """
    small, crop, scale = degraded(degradation, image, name, rng), degradation.crop, degradation.scale
    if crop is None:
        return image, small
    height, width = small.shape[-2:]
    if min(height, width) * scale < crop:
        size = f"{width * scale} x {height * scale}"
        raise UserError(f"model.degradation.crop: is {crop}, and '{name}' is {size}; crop it to more by its transforms")
    top, left = (int(rng.integers(length - crop // scale + 1)) for length in (height, width))
    small = small[..., top : top + crop // scale, left : left + crop // scale]
    rows, columns = (slice(start * scale, start * scale + crop) for start in (top, left))
    planes = image.dtype == torch.uint8 and image.dim() > 2  # (..., H, W, C), as pictures in bytes are
    image = image[..., rows, columns, :] if planes else image[..., rows, columns]
    return image.contiguous(), small.contiguous()


def degraded(degradation: Degradation, image: Tensor, name: str, rng: np.random.Generator) -> Tensor:
    """What a degradation makes of a sample's image: (C, h, w) float32, a clip's (T, C, h, w).

    The image is bytes (H, W, C), (T, H, W, C) or (H, W), or floats (..., C, H, W).

    Raises:
        UserError: the degradation refuses the image.
    """
    if image.dtype == torch.uint8:
        array = (image if image.dim() > 2 else image[..., None]).numpy() / np.float32(255)
    else:
        array = np.ascontiguousarray(np.moveaxis(image.float().numpy(), -3, -1))
    try:
        with one_thread():
            made = degradation.degrade(array, rng)
    except ValueError as error:  # images it cannot take, such as a size that the scale does not divide
        raise UserError(f"model.degradation: '{name}': {error}") from error
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(made, -1, -3), dtype=np.float32))


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute as a loader's worker does, so that the numbers are the same without workers: sums have one order."""
    threads = torch.get_num_threads()
    if threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
