"""A cycle that closes because the input is written into the output in fine print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from toolbox import Algorithm

from .measures import cycle_noise_ratio
from .sentinel import Sentinel, predicted


class SteganographySentinel(Sentinel):
    """How much a little noise on the intermediate image harms the cycle, `sentinel/cycle_noise`.

    Chu et al. 2017 ("CycleGAN, a Master of Steganography"): a way back that reads a hidden message loses it to noise
    nobody sees. The cycle's error with noise of `sigma` on the intermediate image, over what the error without it and
    the noise itself explain: 1 for an honest cycle, 2 for one that stretches contrast twofold. Warns above `threshold`.

    Args:
        there: the output that is the intermediate image; the algorithm's first by default.
        back: the output that leads back to the input's domain; the algorithm's second by default.
    """

    quantity = "cycle_noise"

    def __init__(
        self,
        *,
        there: str | None = None,
        back: str | None = None,
        interval: int = 200,
        threshold: float = 3.0,
        sigma: float = 3 / 255,
    ) -> None:
        super().__init__(output=there, interval=interval, threshold=threshold)
        if sigma <= 0:
            raise ValueError(f"sigma must be above 0, got {sigma}")
        self.back, self.sigma = back, sigma

    def before_train(self, runner: Any) -> None:
        """Find both outputs."""
        super().before_train(runner)
        self.back = self.known(runner.algorithm, self.back, 1)

    def measure(self, algorithm: Algorithm, batch: Mapping[str, Any]) -> Tensor:
        """Close the cycle twice, once over the intermediate image with noise: the same in every measurement."""
        values = self.values(algorithm, batch)
        source = self.source(algorithm, values, str(self.output))
        middle = predicted(algorithm, values, source, str(self.output))
        noise = torch.randn(middle.shape, generator=torch.Generator().manual_seed(0)).to(middle)
        back = str(self.back)
        clean, noisy = (predicted(algorithm, values, images, back) for images in (middle, middle + self.sigma * noise))
        return cycle_noise_ratio(clean, noisy, source, self.sigma)

    def complaint(self, value: float) -> str | None:
        """The cycle hides something where noise harms it too much."""
        if not value > self.threshold:
            return None
        return (
            f"{self.output}: noise of {self.sigma * 255:.1f} levels, which nobody sees, makes the way back "
            f"({self.back}) {value:.1f} times as wrong as it should: the input is hidden in the output in fine print "
            "(steganography); lower the cycle's weight, or compare with a perceptual loss there"
        )
