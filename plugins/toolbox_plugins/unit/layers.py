"""What UNIT's and MUNIT's networks are made of: padded convolutions, residual blocks, norms over whole samples."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from toolbox import UserError
from toolbox.training.precision import at_least_float32


class ConvBlock(nn.Module):
    """Reflection padding, a convolution with bias, a norm and an activation; its weights are `conv` and `norm`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int,
        norm: str = "none",
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(padding)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride)
        self.norm = make_norm(norm, out_channels)
        self.activation = activation or nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """(B, c, h, w) to (B, c', h / stride, w / stride)."""
        return self.activation(self.norm(self.conv(self.pad(features))))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with instance norm, ReLU after the first, added to the input (B, c, h, w) of 2x2 or more."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            ConvBlock(channels, channels, 3, padding=1, norm="instance", activation=nn.ReLU()),
            ConvBlock(channels, channels, 3, padding=1, norm="instance"),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, c, h, w)."""
        return features + self.model(features)


class ResidualBlocks(nn.Module):
    """Residual blocks one after the other, as `model.0`, `model.1`, and so on."""

    def __init__(self, count: int, channels: int) -> None:
        super().__init__()
        self.model = nn.Sequential(*(ResidualBlock(channels) for _ in range(count)))

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, c, h, w)."""
        return self.model(features)


class SampleNorm(nn.Module):
    """Layer norm over a whole sample (C, H, W), with a `gamma` and a `beta` for each channel.

    (x - mean) / (std + 1e-5), with the unbiased deviation, as in MUNIT's code; gamma begins uniform in [0, 1]. A sample
    that is the same everywhere has deviation 0, at which the root has no slope: it is cut off there, so that its
    gradient is 0 and not NaN. Statistics are taken in float32: the squares of a whole sample overflow float16.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.rand(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        """Normalise each sample of (B, C, H, W)."""
        exact = at_least_float32(features)
        variance, mean = torch.var_mean(exact, (1, 2, 3), keepdim=True)
        normal = (exact - mean) / (variance.clamp_min(1e-14).sqrt() + 1e-5)
        return (normal * self.gamma[:, None, None] + self.beta[:, None, None]).to(features.dtype)


def make_norm(norm: str, channels: int) -> nn.Module:
    """Instance norm without parameters, batch norm, norm of whole samples, or nothing.

    Raises:
        UserError: there is no such norm.
    """
    made: dict[str, Callable[[int], nn.Module]] = {
        "none": lambda _: nn.Identity(),
        "instance": nn.InstanceNorm2d,
        "batch": nn.BatchNorm2d,
        "layer": SampleNorm,
    }
    if norm not in made:
        raise UserError(f"norm must be none, instance, batch or layer, got {norm!r}")
    return made[norm](channels)


def initialize(network: nn.Module, rule: str) -> None:
    """Biases 0 and weights by Kaiming's normal rule (generators), or from N(0, 0.02) (discriminators)."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            if rule == "kaiming":
                nn.init.kaiming_normal_(module.weight)
            else:
                nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def check_sizes(**sizes: int) -> None:
    """Raise UserError for a size below 1."""
    for name, value in sizes.items():
        if value < 1:
            raise UserError(f"{name} must be at least 1, got {value}")
