"""What CycleGAN's two networks share: the choice of normalisation, and the initialisation."""

from __future__ import annotations

from torch import nn

from toolbox import UserError


def make_norm(norm: str, channels: int) -> nn.Module:
    """Batch norm, instance norm without or with parameters, or nothing (which keeps its place among the layers)."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "instance":
        return nn.InstanceNorm2d(channels)
    if norm == "instance_affine":
        return nn.InstanceNorm2d(channels, affine=True)
    if norm == "none":
        return nn.Identity()
    raise UserError(f"norm must be batch, instance, instance_affine or none, got {norm!r}")


def initialize(network: nn.Module, rule: str = "normal") -> None:
    """Weights from N(0, 0.02) and biases 0 (CycleGAN, appendix 7.1); batch norm's scale from N(1, 0.02), as DCGAN.

    With `rule` xavier, weights follow Xavier's normal rule times 0.02, as in CUT's code: a fiftieth of the usual size,
    which a normalisation makes up for and an optimizer of fixed step leaves the sooner.
    """
    if rule not in ("normal", "xavier"):
        raise UserError(f"initialization must be normal or xavier, got {rule!r}")
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            if rule == "normal":
                nn.init.normal_(module.weight, 0.0, 0.02)
            else:
                nn.init.xavier_normal_(module.weight, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
