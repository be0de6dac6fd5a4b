"""Instance noise."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox import Augmentation, Logits, UserError


class InstanceNoise(Augmentation):
    """Gaussian noise on all that the discriminator sees, fading to none (Sønderby et al., 2017, section 3.3).

    Args:
        deviation: at the start, for images in [0, 1].
        until: the discriminator's step from which there is none; it falls linearly. None: it stays.
    """

    steps: Tensor

    def __init__(self, *, deviation: float = 0.05, until: int | None = None) -> None:
        super().__init__()
        if deviation <= 0:
            raise UserError(f"deviation must be above 0, got {deviation}")
        if until is not None and until < 1:
            raise UserError(f"until must be at least 1, got {until}")
        self.deviation, self.until = deviation, until
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def extra_repr(self) -> str:
        """As in the config."""
        return f"deviation={self.deviation}, until={self.until}"

    def forward(self, images: Tensor) -> Tensor:
        """Add noise to images (B, C, H, W); values may leave [0, 1]."""
        left = 1.0 if self.until is None else (1 - self.steps / self.until).clamp(min=0)
        return images + torch.randn_like(images) * (self.deviation * left)

    def observe(self, real: Logits) -> None:
        """Count one step."""
        self.steps += 1
