"""Outputs that are all alike, whatever goes in."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from toolbox import Algorithm

from .measures import diversity_ratio, thumbnails
from .sentinel import Sentinel


class ModeCollapseSentinel(Sentinel):
    """Diversity of outputs over that of their inputs, `sentinel/output_diversity`; warns below `threshold`.

    The mean distance between any two of the last `images` training images (averaged down to 32x32), and between what
    the networks now make of them: near 1 for a translator that keeps its content, less where a style has little
    contrast, 0 where every output is the same picture. It wants 2 images or more that differ; otherwise it says 1.
    """

    quantity = "output_diversity"

    def __init__(
        self, *, output: str | None = None, interval: int = 200, threshold: float = 0.1, images: int = 16
    ) -> None:
        super().__init__(output=output, interval=interval, threshold=threshold)
        if images < 2:
            raise ValueError(f"images must be at least 2, got {images}")
        self.images = images
        self.batches: deque[Any] = deque(maxlen=images)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Keep the batch for the next look, if that is near."""
        size = max((len(value) for value in data_batch.values() if isinstance(value, Tensor)), default=1)
        if -(batch_idx + 1) % self.interval < -(-self.images // size):
            self.batches.append(data_batch)
        super().after_train_iter(runner, batch_idx, data_batch, outputs)

    def measure(self, algorithm: Algorithm, batch: Mapping[str, Any]) -> Tensor:
        """Compare the distances among inputs and among outputs, over the images that were kept."""
        pairs = [self.seen(algorithm, kept, str(self.output)) for kept in self.batches]
        self.batches.clear()
        inputs = torch.cat([thumbnails(source) for source, _ in pairs])
        outputs = torch.cat([thumbnails(made) for _, made in pairs])
        return diversity_ratio(outputs[-self.images :], inputs[-self.images :])

    def complaint(self, value: float) -> str | None:
        """The generator has collapsed where outputs are much more alike than inputs."""
        if not value < self.threshold:
            return None
        return (
            f"{self.output}: outputs differ from each other {value:.3f} times as much as their inputs do: the "
            "generator makes one picture of everything (mode collapse); raise the cycle or identity loss, lower the "
            "adversarial weight or the discriminator's rate, or try another variant (WGANGP, RaGAN)"
        )
