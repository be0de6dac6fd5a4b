"""A generator with dropout for both algorithms: what a resume must repeat bit for bit."""

from __future__ import annotations

from torch import Tensor, nn

from toolbox import hookimpl
from toolbox.plugins.hookspecs import Register


class DropoutEnlarger(nn.Module):
    """Images (B, C, H, W) to (B, C, scale*H, scale*W) through dropout and batch norm, which has buffers."""

    def __init__(self, *, scale: int = 1, width: int = 8) -> None:
        super().__init__()
        self.scale = scale
        self.body = nn.Sequential(
            nn.Upsample(scale_factor=scale), nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Dropout(0.3), nn.Conv2d(width, 3, 3, padding=1),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge."""
        return self.body(images)


@hookimpl
def register_generators(register: Register) -> None:
    """One generator."""
    register("DropoutEnlarger", DropoutEnlarger)
