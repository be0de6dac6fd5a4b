"""Light and dark swapped: what unpaired training can end in, and no loss notices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from toolbox import Algorithm

from .measures import luminance_correlation
from .sentinel import Sentinel


class ColorInversionSentinel(Sentinel):
    """Correlation of an output's luminance with its input's, `sentinel/luminance_correlation`; warns below 0.

    1 where light and shade are kept, 0 where they are unrelated, -1 in a negative. A cycle closes as well through a
    negative as through the image itself, so a translator may settle for one early.
    """

    quantity = "luminance_correlation"

    def __init__(self, *, output: str | None = None, interval: int = 200, threshold: float = 0.0) -> None:
        super().__init__(output=output, interval=interval, threshold=threshold)

    def measure(self, algorithm: Algorithm, batch: Mapping[str, Any]) -> Tensor:
        """Compare the batch's inputs and outputs."""
        source, made = self.seen(algorithm, batch, str(self.output))
        return luminance_correlation(made, source)

    def complaint(self, value: float) -> str | None:
        """Colours are inverted where the correlation is below the threshold."""
        if not value < self.threshold:
            return None
        return (
            f"{self.output}: the output's brightness runs against the input's (correlation {value:.2f}): colours are "
            "being inverted; raise the identity loss, add LowPassLuminanceLoss where a role compares output and input, "
            "or start again with another seed"
        )
