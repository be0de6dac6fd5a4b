"""The grid that transposed convolutions leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from toolbox import Algorithm

from .measures import checkerboard_ratio
from .sentinel import Sentinel


class CheckerboardSentinel(Sentinel):
    """How far outputs stand out at periods of 2 and 4 pixels, over their inputs, `sentinel/checkerboard`.

    About 1 without a grid, with strokes, weave and noise too. On photographs, a grid of +-1 level of 255 at every
    second pixel gives 9, of 2 levels 33, of 4 levels 130; an untrained transposed convolution 250 to 10000. Warns above
    `threshold`. Crops need 32 pixels or more.
    """

    quantity = "checkerboard"

    def __init__(self, *, output: str | None = None, interval: int = 200, threshold: float = 20.0) -> None:
        super().__init__(output=output, interval=interval, threshold=threshold)

    def measure(self, algorithm: Algorithm, batch: Mapping[str, Any]) -> Tensor:
        """Compare the spectra of the batch's inputs and outputs."""
        source, made = self.seen(algorithm, batch, str(self.output))
        return checkerboard_ratio(made, source)

    def complaint(self, value: float) -> str | None:
        """There is a grid where the peaks are above the threshold."""
        if not value > self.threshold:
            return None
        return (
            f"{self.output}: a pattern of 2 or 4 pixels stands out of the output {value:.0f} times more than of the "
            "input: a checkerboard; use a generator that enlarges by resizing and convolving (upsample: resize) "
            "instead of a transposed convolution or a pixel shuffle, or train longer: young networks have it, and "
            "grow out of it"
        )
