"""What is done to results in the order of a film: a filter sees each source frame with its result, and remembers."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

import numpy as np


class FrameFilter(Protocol):
    """Changes results one after another, in the film's order.

    Its state is saved at the end of each piece, so that a run that goes on equals one that was never stopped, bit for
    bit: whatever a result depends on beside its arguments must be in it.
    """

    def __call__(self, source: np.ndarray, result: np.ndarray) -> np.ndarray:
        """A source frame (H, W, 3) and its result (sH, sW, 3), of one type, uint8 or uint16, to the result's like."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """What is remembered, by name; empty before the first frame."""
        ...

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state."""
        ...


class Unchanged:
    """Results as they are."""

    def __call__(self, source: np.ndarray, result: np.ndarray) -> np.ndarray:
        return result

    def state(self) -> dict[str, np.ndarray]:
        """Nothing."""
        return {}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Nothing."""


_STEADY = "toolbox.inference.video.steady"


def filter_of(temporal: float) -> FrameFilter:
    """The filter against flicker of an amount from 0 (none) to 1."""
    if temporal and find_spec(_STEADY):
        return import_module(_STEADY).Steady(temporal)
    return Unchanged()
