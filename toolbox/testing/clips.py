"""Made-up clips, for checks of what takes several frames."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox.testing.components import images


def moving_clips(count: int = 2, frames: int = 3, side: int = 16, *, channels: int = 3, seed: int = 0) -> Tensor:
    """Windows (count, frames, channels, side, side + 8) in [0, 1] that move over smooth pictures, 2 pixels a frame."""
    wide = images(count, channels, side, side + 8 + 2 * frames, seed=seed)
    return torch.stack([wide[..., 2 * t : 2 * t + side + 8] for t in range(frames)], 1)
