"""Johnson's image transformation network, in the layout of the files of PyTorch's fast_neural_style example."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import relu

from toolbox import Generator, UserError
from toolbox_plugins.cyclegan.resampling import enlarged_convolution


class TransformNet(Generator):
    """Images (B, C, H, W) in [0, 1] to (B, C, H, W), nominally in [0, 1]; H and W are multiples of 4, at least 8.

    Johnson et al. 2016, supplement, with the later changes of the public example: c9s1-32, c3s2-64, c3s2-128, R128 x
    `blocks`, two nearest-neighbour x2 with a 3x3 convolution instead of transposed ones (Odena et al. 2016), c9s1-3;
    reflection padding, affine instance norm (Ulyanov et al. 2016), no activation at the end. 1.679 M parameters by
    default. State keys are the example's: `conv1.conv2d, in1, ..., res1.conv1.conv2d, res1.in1, ..., deconv1.conv2d,
    in4, ..., deconv3.conv2d`; running statistics, which old files carry, are left out on loading. As there, the network
    works on [0, 255] and starts dark, so a short run wants a high rate (1e-2) to reach the photograph's brightness.
    """

    scale = 1
    multiple = 4

    def __init__(self, *, in_channels: int = 3, out_channels: int = 3, width: int = 32, blocks: int = 5) -> None:
        super().__init__()
        for name, value in (("in_channels", in_channels), ("out_channels", out_channels), ("width", width)):
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        if blocks < 0:
            raise UserError(f"blocks must be 0 or more, got {blocks}")
        self.blocks = blocks
        self.conv1, self.in1 = Convolution(in_channels, width, 9), _norm(width)
        self.conv2, self.in2 = Convolution(width, 2 * width, 3, stride=2), _norm(2 * width)
        self.conv3, self.in3 = Convolution(2 * width, 4 * width, 3, stride=2), _norm(4 * width)
        for number in range(1, blocks + 1):
            self.add_module(f"res{number}", ResidualBlock(4 * width))
        self.deconv1, self.in4 = Convolution(4 * width, 2 * width, 3), _norm(2 * width)
        self.deconv2, self.in5 = Convolution(2 * width, width, 3), _norm(width)
        self.deconv3 = Convolution(width, out_channels, 9)
        self.register_load_state_dict_pre_hook(_drop_statistics)

    def forward(self, images: Tensor) -> Tensor:
        """Paint images (B, C, H, W) in [0, 1]; the result may leave [0, 1]."""
        x = relu(self.in1(self.conv1(images * 255)))  # (B, width, H, W)
        x = relu(self.in2(self.conv2(x)))  # (B, 2 width, H/2, W/2)
        x = relu(self.in3(self.conv3(x)))  # (B, 4 width, H/4, W/4)
        for number in range(1, self.blocks + 1):
            x = self.get_submodule(f"res{number}")(x)
        x = relu(self.in4(self.deconv1.enlarged(x)))
        x = relu(self.in5(self.deconv2.enlarged(x)))
        return self.deconv3(x) / 255


class ResidualBlock(nn.Module):
    """Two convolutions with instance norm, added to the input (B, c, h, w); no activation after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.in1 = Convolution(channels, channels, 3), _norm(channels)
        self.conv2, self.in2 = Convolution(channels, channels, 3), _norm(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features (B, c, h, w)."""
        return features + self.in2(self.conv2(relu(self.in1(self.conv1(features)))))


class Convolution(nn.Module):
    """A convolution with reflection padding, so that the size is kept (or divided by the stride)."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(kernel // 2)
        self.conv2d = nn.Conv2d(in_channels, out_channels, kernel, stride)

    def forward(self, features: Tensor) -> Tensor:
        """Filter features (B, c, h, w)."""
        return self.conv2d(self.pad(features))

    def enlarged(self, features: Tensor) -> Tensor:
        """Filter features (B, c, h, w) after a nearest-neighbour x2: (B, c', 2h, 2w). The kernel is 3."""
        return enlarged_convolution(features, self.conv2d.weight, self.conv2d.bias)


def _norm(channels: int) -> nn.InstanceNorm2d:
    return nn.InstanceNorm2d(channels, affine=True)


def _drop_statistics(module: nn.Module, state: dict[str, Any], prefix: str, *others: Any) -> None:
    """Leave out the running statistics that PyTorch 0.3's instance norm saved, and that were never used."""
    for key in [key for key in state if key.startswith(prefix) and key.rpartition(".")[2] in STALE]:
        del state[key]


STALE = ("running_mean", "running_var", "num_batches_tracked")
