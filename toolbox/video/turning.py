"""How a film is turned before it is shown, by its display matrix, and frames turned so."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Turn:
    """Quarter turns against the clock, after a mirroring from left to right.

    Args:
        known: False where the file asks for an angle between, which pixels cannot be turned by.
    """

    quarters: int = 0
    mirrored: bool = False
    known: bool = True

    @property
    def sideways(self) -> bool:
        """Whether height and width change places."""
        return self.quarters % 2 == 1

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """Turn pixels (H, W, C) as they are to be shown."""
        if self.mirrored:
            array = array[:, ::-1]
        return np.ascontiguousarray(np.rot90(array, self.quarters)) if self.quarters or self.mirrored else array


UPRIGHT = Turn()


def turn_of(frame: Any) -> Turn:
    """How PyAV's frame asks to be turned.

    The display matrix holds (a, b, u, c, d, v, x, y, w): a point (p, q) of the frame is shown at (a·p + c·q,
    b·p + d·q), with q downwards (ISO 14496-12, section 6.2.2).
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return UPRIGHT
    matrix = np.frombuffer(bytes(data), np.int32)[:9].reshape(3, 3).astype(np.float64)
    linear = matrix[:2, :2].T  # columns are where the frame's axes go
    scale = max(hypot(*linear[:, 0]), hypot(*linear[:, 1]))
    if not scale:
        return UPRIGHT
    rounded = np.rint(linear / scale)
    if abs(linear / scale - rounded).max() > 0.02 or abs(np.linalg.det(rounded)) != 1:
        return Turn(known=False)
    mirrored = np.linalg.det(rounded) < 0
    if mirrored:
        rounded = rounded @ np.diag([-1, 1])
    across, down = rounded[:, 0]  # where the axis to the right goes; q downwards, so up is −1
    return Turn({(1, 0): 0, (0, -1): 1, (-1, 0): 2, (0, 1): 3}[int(across), int(down)], bool(mirrored))
