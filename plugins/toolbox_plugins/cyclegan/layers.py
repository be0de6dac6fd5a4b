"""What CycleGAN's two networks share: the choice of normalisation, and the initialisation."""

from __future__ import annotations

from torch import nn

from toolbox.errors import UserError


def make_norm(norm: str, channels: int) -> nn.Module:
    """Batch norm, instance norm without parameters, or nothing (which keeps its place among the layers)."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "instance":
        return nn.InstanceNorm2d(channels)
    if norm == "none":
        return nn.Identity()
    raise UserError(f"norm must be batch, instance or none, got {norm!r}")


def initialize(network: nn.Module) -> None:
    """Weights from N(0, 0.02) and biases 0 (CycleGAN, appendix 7.1); batch norm's scale from N(1, 0.02), as DCGAN."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
