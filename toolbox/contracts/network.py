"""What the toolbox asks of a network. Deriving from these bases is a convenience: any module like them will do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import nn
from torch.nn.parallel import DistributedDataParallel


class Generator(nn.Module):
    """Images in, images out: `forward((B, C, H, W) in [0, 1]) -> (B, C, scale*H, scale*W)`, nominally in [0, 1].

    A network designed for another range converts inside its own `forward`. Values may leave [0, 1] while
    training; only prediction clamps.
    """

    scale: int = 1
    """Output size over input size: 1 for style, 2, 4 or 8 for super-resolution."""
    multiple: int = 1
    """Height and width must be multiples of this; the caller pads before and crops after."""
    period: int = 1
    """Input pixels after which what it lays over every picture repeats: tiles begin at multiples of this."""
    keeps_colors: bool | None = None
    """Whether colours are the input's own, where no algorithm says it; None: those of an enlarger are."""
    supports_half: bool = True
    """Whether it may compute in bfloat16 or float16; where not, it stays in float32 under `--amp`."""

    def fitted(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """Weights that `load_from` names, made to fit this network: those of one with fewer styles, say."""
        return state


class GradedGenerator(Generator):
    """A generator whose effect can be chosen: `forward(images, strength)`, strength (B,) from 0, nothing, to 1.

    Without a strength it gives all of its effect, so that it serves wherever a generator does.
    """


ADVERSARIAL = "adversarial"
"""The head of a discriminator that tells real from fake."""


class Discriminator(nn.Module):
    """Judges images: `forward((B, C, H, W) in [0, 1]) -> [logits]`, one tensor (B, ...) for each scale.

    One with further `heads`, such as a classifier, gives all of them by name: `{"adversarial": [logits], "domain": (B,
    n)}`. Objectives and penalties see the adversarial head alone; an algorithm's roles name the others.
    """

    heads: Sequence[str] = ()
    """Names of the heads beside `adversarial`."""
    supports_half: bool = True
    """Whether it may compute in bfloat16 or float16; where not, it stays in float32 under `--amp`."""
    knows_sides: bool = False
    """Whether it judges an image beside others of its side, of the batch or remembered: it is then called as
    `forward(images, side="real")` or `"fake"`, the two apart. Without a side, as penalties and monitors call it, what
    it says of an image must not depend on the rest of the batch.
    """


class Encoder(nn.Module):
    """Images to a code: `forward((B, C, H, W) in [0, 1]) -> (B, channels, h, w)`, one position for many pixels."""

    channels: int
    """Channels of the code; the decoder's `channels` must be the same."""
    multiple: int = 1
    """Height and width must be multiples of this; the caller pads before and crops after."""


class StyleEncoder(nn.Module):
    """Images to a style: `forward((B, C, H, W) in [0, 1]) -> (B, style_channels)`, for images of any size."""

    style_channels: int
    """Numbers of one style; the decoder's `style_channels` must be the same."""


class Decoder(nn.Module):
    """A code to images: `forward((B, channels, h, w)) -> (B, C, H, W)`, nominally in [0, 1], of the encoder's size.

    One that takes a style is called with it: `forward(code, style)`, style (B, style_channels).
    """

    channels: int
    """Channels of the code."""
    style_channels: int = 0
    """Numbers of one style; 0 for a decoder without."""


class FeatureNetwork(nn.Module):
    """A frozen network whose inner activations losses and metrics compare.

    `forward(images (B, 3, H, W) in [0, 1], layers=[name, ...]) -> {name: (B, C', H', W')}`. It normalises the
    images itself, has no trainable parameters, and passes gradients on to the images.
    """

    layers: Sequence[str] = ()
    """Every layer name that `forward` knows."""


def own_modules(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules of a network by their names, without those of feature networks inside: these stand still."""
    yield "", network
    for name, child in network.named_children():
        if not isinstance(child, FeatureNetwork):
            yield from ((f"{name}.{inner}".rstrip("."), module) for inner, module in own_modules(child))


def unwrapped(network: nn.Module) -> nn.Module:
    """The network itself, without its distributed wrapper."""
    return network.module if isinstance(network, DistributedDataParallel) else network
