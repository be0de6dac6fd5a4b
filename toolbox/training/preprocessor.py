"""From a batch of the data loader to named values on the device, degraded there if no worker has done it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from toolbox.contracts.degradation import Degradation
from toolbox.contracts.mixture import Mixture
from toolbox.io.errors import ConfigError, UserError


class Preprocessor(BaseDataPreprocessor):
    """Bytes (..., H, W, C) to float32 (..., C, H, W) in [0, 1]; missing inputs are degraded from what they derive from.

    Loaders give the inputs already made, except by a degradation that is `on_device`. For what comes without, there is
    a generator here: one seed per rank, saved with the model.
    """

    def __init__(
        self,
        *,
        inputs: tuple[str, ...],
        derived: Mapping[str, str],
        degradation: Degradation | None = None,
        mixtures: Sequence[Mixture] = (),
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        self.inputs, self.derived = inputs, dict(derived)
        self.degradation, self.mixtures = degradation, mixtures
        self.channels_last = channels_last
        self.rng, self.first_seed = torch.Generator(), 0

    def seed(self, seed: int) -> None:
        """Start the degradations' random numbers afresh; every rank has a seed of its own."""
        self.first_seed = seed
        self.restart()

    def restart(self) -> None:
        """Begin again at the seed: a checkpoint that was loaded holds the random numbers of another run."""
        self.rng.manual_seed(self.first_seed)

    def forward(self, data: Mapping[str, Any], training: bool = False) -> dict[str, Any]:
        """Return every value of the batch by name, and the algorithm's missing inputs made from the others."""
        values = {name: self.to_float(value) for name, value in data.items() if isinstance(value, Tensor)}
        for name, source in self.derived.items():
            if name not in values and source in values and self.degradation is not None:
                try:
                    names = None if training else data.get("name", [""] * len(values[source]))
                    values[name] = self.degrade(self.degradation, values[source], names)
                    if training and self.degradation.crop is not None:
                        values[source], values[name] = self.cut(values[source], values[name], self.degradation.crop)
                except ValueError as error:  # images it cannot take, such as a size that the scale does not divide
                    raise UserError(f"model.degradation: '{source}': {error}") from error
        missing = [name for name in self.inputs if name not in values]
        if training and missing:
            wanted, source = missing[0], self.derived.get(missing[0])
            ways = f", or model.degradation to make it from '{source}'" if source else ""
            if source and self.degradation is not None:  # it would make the one that is missing
                wanted, ways = source, ""
            message = f"gives {', '.join(values) or 'no images'}, and the model needs '{wanted}'"
            raise ConfigError(f"{message}; give the dataset that key{ways}", key="train_dataloader.dataset")
        return self.mixed(values) if training and self.mixtures else values

    def mixed(self, values: dict[str, Any]) -> dict[str, Any]:
        """The batch with some of its pairs changed by others: each image and what is derived from it alike."""
        for source in dict.fromkeys(self.derived.values()):
            names = [*(name for name, of in self.derived.items() if of == source), source]
            for mixture in self.mixtures:
                changed = mixture.mix({name: values[name] for name in names}, self.rng)
                values |= {name: self.laid_out(value) for name, value in changed.items()}
        return values

    def degrade(self, degradation: Degradation, images: Tensor, names: Sequence[str] | None = None) -> Tensor:
        """Damage images (B, C, H, W): in training each in its own way, in validation (with `names`) always in the same.

        There the damage depends on an image's name alone, and on neither batch size nor number of ranks.
        """
        if names is None:
            return degradation(images, self.rng)
        seeds = (torch.Generator().manual_seed(crc32(name.encode())) for name in names)
        return torch.cat([degradation(image[None], rng) for image, rng in zip(images, seeds, strict=True)])

    def cut(self, images: Tensor, small: Tensor, side: int) -> tuple[Tensor, Tensor]:
        """Cut images (B, ..., H, W) to `side` pixels and what was made of them alike, each sample at its own place.

        Raises:
            ValueError: the images are smaller.
        """
        (height, width), scale = images.shape[-2:], images.shape[-1] // small.shape[-1]
        if min(height, width) < side:
            raise ValueError(f"crop is {side}, and the images are {width} x {height}; crop them to more before")
        results: tuple[list[Tensor], list[Tensor]] = ([], [])
        for pair in zip(images, small, strict=True):
            top, left = (
                int(torch.randint((length - side) // scale + 1, (), generator=self.rng)) for length in (height, width)
            )
            for result, each, factor in zip(results, pair, (scale, 1), strict=True):
                y, x, length = top * factor, left * factor, side // scale * factor
                result.append(each[..., y : y + length, x : x + length])
        return torch.stack(results[0]), torch.stack(results[1])

    def to_float(self, value: Tensor) -> Tensor:
        """A value of the loader on the device; bytes become float32 in [0, 1].

        Pictures (..., H, W, C) become (..., C, H, W), masks (B, H, W) become (B, 1, H, W). Labels, numbers and floats
        stay what they are.
        """
        value = value.to(self.device, non_blocking=True)
        if value.dtype == torch.uint8 and value.dim() >= 3:
            planes = value[:, None] if value.dim() == 3 else value.movedim(-1, -3)
            value = planes.float().div_(255)
        return self.laid_out(value)

    def laid_out(self, value: Tensor) -> Tensor:
        """A value in the memory layout that the networks have."""
        layout = torch.channels_last if self.channels_last and value.dim() == 4 else torch.contiguous_format
        return value.contiguous(memory_format=layout)

    def get_extra_state(self) -> dict[str, Tensor]:
        """The state of the degradations' random numbers."""
        return {"rng": self.rng.get_state()}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Continue the degradations' random numbers where they stopped."""
        self.rng.set_state(state["rng"].cpu())
