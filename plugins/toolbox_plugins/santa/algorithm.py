"""SANTA (Xie et al., 2023): one-sided translation that changes as little as it may on its way to the other domain."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from toolbox import STRENGTH, Algorithm, Output, Parts, UserError, Values, unwrapped
from toolbox.training.activations import CONVOLUTIONS, watched
from toolbox_plugins.unit.codes import agreed

LAYERS = 5
"""Layers of the decoder whose features are compared along the path."""
LEAST = 0.1
"""What a way is divided by at least, where an end of the path cuts it short."""


class SANTA(Algorithm):
    """`real_a` to `fake_b`, both (B, C, H, W), by an encoder and a decoder that is told how far to go, 0 to 1.

    The decoder's style (B, style_channels) is the place on the path, the same number in each channel: at 0 it gives
    back `real_a` (role `reconstruction`), at 1 it gives `fake_b`, and `real_b` stays what it is (`identity`). `path`
    compares `path_ends` with `path_starts`, the features of some of its layers at two places nearby, drawn anew for
    each sample and divided by the way between them: where they are alike, the path is short, and content stays.
    `kl` is of the codes, which get noise in training. Each is computed only where it has a loss; codes of both domains
    count, where the paper's code takes their mean. Weights published for images in [-1, 1] double here.

    In prediction, `strength` is the place on the path.

    Args:
        layers: names of the decoder's modules whose outputs are compared. None: five of its convolutions, spread over
            all of them.
        interval: how far the two places lie from the one in their middle, drawn evenly between these.
        noise: the standard deviation of what codes get in training.

    Raises:
        ConfigError: the encoder's and the decoder's `channels` differ, or the decoder takes no style.
        UserError: an interval is none, `noise` is negative, or the decoder has no convolution and `layers` names none.
    """

    inputs = ("real_a", "real_b")
    kinds = {"encoder": "encoders", "decoder": "decoders"}
    generators = ("encoder", "decoder")
    outputs = {"fake_b": Output("real_a", "encoder", "decoder", keeps_colors=False, conditions=(STRENGTH,))}
    adversaries = {"discriminator": ("real_b", "fake_b")}
    roles = {
        "reconstruction": [("same_a", "real_a")],
        "identity": [("same_b", "real_b")],
        "kl": [("code_a",), ("code_b",)],
        "path": [("path_ends", "path_starts")],
    }

    encoder: nn.Module
    decoder: nn.Module

    def __init__(
        self,
        parts: Parts,
        *,
        layers: Sequence[str] | None = None,
        interval: Sequence[float] = (0.05, 0.1),
        noise: float = 1.0,
    ) -> None:
        super().__init__(parts)
        agreed(parts, self.generators, "channels")
        self.style_channels = agreed(parts, ("decoder",), "style_channels")
        if len(interval) != 2 or not 0 < interval[0] <= interval[1] <= 0.5:
            raise UserError(f"interval must be two numbers above 0 and up to 0.5, the lesser first, got {interval}")
        if noise < 0:
            raise UserError(f"noise must be 0 or more, got {noise}")
        self.interval, self.noise = (float(interval[0]), float(interval[1])), noise
        self.layers = list(layers) if layers is not None else spread(parts.networks["decoder"])

    def translate(self, values: Values) -> None:
        """Translate `real_a`; with it, in one call, reconstruct it and see two places of the path."""
        code = values["code_a"] = self.encoder(values["real_a"])
        noisy, count = self.disturbed(code), len(code)
        places = {"fake_b": code.new_ones(count)}
        if self.wants("reconstruction"):
            places["same_a"] = code.new_zeros(count)
        if self.wants("path"):
            least, most = self.interval
            middle, half = torch.rand_like(places["fake_b"]), least + (most - least) * torch.rand_like(places["fake_b"])
            places["end"], places["start"] = (middle + half).clamp(max=1), (middle - half).clamp(min=0)
        along = "end" in places
        with watched(unwrapped(self.decoder), self.layers) if along else nullcontext({}) as seen:
            made = self.decode(noisy.repeat(len(places), 1, 1, 1), torch.cat([*places.values()]))
        images = dict(zip(places, made.split(count), strict=True))
        values["fake_b"] = images["fake_b"]
        if "same_a" in images:
            values["same_a"] = images["same_a"]
        if along:
            way = (places["end"] - places["start"]).clamp(min=LEAST)[:, None, None, None]
            features = [self.found(seen, name)[-2 * count :].split(count) for name in self.layers]
            values["path_ends"] = [end / way for end, _ in features]
            values["path_starts"] = [start / way for _, start in features]
        if self.wants("identity") or self.wants("kl"):
            code = values["code_b"] = self.encoder(values["real_b"])
        if self.wants("identity"):
            values["same_b"] = self.decode(self.disturbed(code), code.new_ones(len(code)))

    def disturbed(self, code: Tensor) -> Tensor:
        """A code (B, channels, h, w) with each sample's own noise, from torch's global random state."""
        return code + self.noise * torch.randn_like(code) if self.noise else code

    def decode(self, code: Tensor, places: Tensor) -> Tensor:
        """Images (B, C, H, W) of codes (B, channels, h, w) at places (B,) of the path."""
        return self.decoder(code, places.to(code)[:, None].expand(-1, self.style_channels))

    def found(self, seen: dict[str, Tensor], name: str) -> Tensor:
        """The features that a layer gave. Raises UserError where it was not called."""
        if name not in seen:
            raise UserError(f"layers: {type(unwrapped(self.decoder)).__name__} does not call its module {name!r}")
        return seen[name]

    def condition(self, output: str, chosen: dict[str, Any]) -> Tensor:
        """The place on the path (1 or B,)."""
        return chosen["strength"]

    def generate(self, output: str, values: Values, state: Tensor) -> Tensor:
        """`fake_b` of images (B, C, H, W), as far along the path as was chosen."""
        images = values["real_a"]
        encoder, decoder = map(self.averaged_network, self.outputs[output].networks)
        return decoder(encoder(images), state.expand(len(images)).to(images)[:, None].expand(-1, self.style_channels))


def spread(decoder: nn.Module) -> list[str]:
    """Names of up to five convolutions of a network, spread over all. Raises UserError where it has none."""
    names = [name for name, module in decoder.named_modules() if isinstance(module, CONVOLUTIONS)]
    if not names:
        raise UserError(f"{type(decoder).__name__} has no convolution; name its modules in layers")
    places = torch.linspace(0, len(names) - 1, min(LAYERS, len(names))).round().long().tolist()
    return [names[place] for place in places]
