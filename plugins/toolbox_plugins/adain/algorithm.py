"""AdaIN (Huang and Belongie, 2017): a code takes on the statistics of a style's code, and a decoder paints it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from toolbox import STRENGTH, Algorithm, Condition, Output, Parts, UserError, Values, did_you_mean, unwrapped
from toolbox.training.network_call import uncompiled

from .pictures import style_picture
from .statistics import adapt

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
SIDE = 64
"""Pixels of the image by which encoder and decoder are tried."""


class AdaIN(Algorithm):
    """`real_a`, a photograph, to `fake_b` in the style of `real_b`, both (B, C, H, W) of sizes of their own.

    `encoder` is any frozen feature network, and `layers` names those of its layers whose statistics are the style; the
    last is the code that the decoder paints from. Only the decoder trains. The paper's losses are `content`, of the
    painting's code and the code it was painted from (eq. 12), and `style`, of the means and deviations of all layers
    (eq. 13): it gets two lists of activations. `identity` compares a photograph with what the decoder makes of its own
    code, which the paper does not ask for. A discriminator may judge `fake_b` besides, against `real_b`.

    Prediction needs a picture of the style; `strength` below 1 goes between it and the photograph's own (eq. 14).

    Args:
        layers: from shallow to deep; the paper's four by default, or all that the encoder knows where it lacks these.

    Raises:
        UserError: the encoder has no such layer, or the decoder does not fit its code.
    """

    inputs = ("real_a", "real_b")
    generators = ("encoder", "decoder")
    kinds = {"encoder": "features", "decoder": "decoders"}
    outputs = {
        "fake_b": Output(
            "real_a",
            "encoder",
            "decoder",
            keeps_colors=False,
            conditions=(Condition("style", "picture", source="real_b"), STRENGTH),
        )
    }
    adversaries = {"discriminator": ("real_b", "fake_b")}
    optional = ("discriminator",)
    roles = {
        "content": [("fake_features", "target")],
        "style": [("fake_layers", "style_layers")],
        "identity": [("same_a", "real_a")],
    }

    encoder: nn.Module
    decoder: nn.Module

    def __init__(self, parts: Parts, *, layers: list[str] | None = None) -> None:
        super().__init__(parts)
        known: Any = getattr(self.encoder, "layers", ())
        usual = LAYERS if set(LAYERS) <= set(known) else known
        self.layers: list[str] = [*(usual if layers is None else layers)]
        if not self.layers:
            raise UserError("layers must name at least one layer of the encoder; the last is what the decoder gets")
        for layer in self.layers:
            if layer not in known:
                raise UserError(
                    f"layers: {type(self.encoder).__name__} has no layer {layer!r}{did_you_mean(layer, known)}"
                )
        self.multiple = _fit(self.encoder, self.decoder, self.layers[-1])

    def translate(self, values: Values) -> None:
        """Encode both, paint from the adapted code, and encode the painting where its code is asked for."""
        with torch.no_grad():
            content = self._encode(values["real_a"], self.layers[-1:])[-1]
            style = self._encode(values["real_b"], self.layers)
            values["target"] = adapt(content, style[-1])
        if self.wants("identity"):
            both = self.decoder(torch.cat([values["target"], content]))
            values["fake_b"], values["same_a"] = both.chunk(2)
        else:
            values["fake_b"] = self.decoder(values["target"])
        if self.wants("content") or self.wants("style"):
            values["style_layers"] = style
            values["fake_layers"] = self._encode(values["fake_b"], self.layers)
            values["fake_features"] = values["fake_layers"][-1]

    def condition(self, output: str, chosen: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """The code of a style's picture, or of one each, and how much of it.

        Raises:
            UserError: there is no picture of the style, or it is too small.
        """
        picture = style_picture(chosen, 2 * self.multiple, "AdaIN")
        return self._encode(picture, self.layers[-1:])[-1], chosen["strength"]

    def generate(self, output: str, values: Values, state: tuple[Tensor, Tensor]) -> Tensor:
        """Paint images (B, 3, H, W), H and W multiples of `multiple`, in the style that `condition` encoded."""
        code, (wanted, strength) = self._encode(values["real_a"], self.layers[-1:])[-1], state
        code = torch.lerp(code, adapt(code, wanted), strength[:, None, None, None])
        return self.averaged_network("decoder")(code)

    def multiple_of(self, output: str) -> int:
        """How many pixels one position of the code stands for: with other sizes the painting would be larger."""
        return self.multiple

    def _encode(self, images: Tensor, layers: list[str]) -> list[Tensor]:
        """Activations (B, c, h, w) of the named layers."""
        found = self.encoder(images, layers=layers)
        return [found[layer] for layer in layers]


@torch.no_grad()
def _fit(encoder: nn.Module, decoder: nn.Module, layer: str) -> int:
    """Paint one gray image; returns the image's side over its code's.

    Raises:
        UserError: the decoder wants another number of channels, or paints in another size.
    """
    code = encoder(torch.full((1, 3, SIDE, SIDE), 0.5), layers=[layer])[layer]
    name = type(unwrapped(decoder)).__name__
    channels = getattr(decoder, "channels", code.shape[1])
    if channels != code.shape[1]:
        raise UserError(f"{name} takes codes of {channels} channels, and the encoder's {layer} has {code.shape[1]}")
    training = decoder.training
    with torch.random.fork_rng(devices=[]), uncompiled(decoder):
        painted = decoder.eval()(code)
    decoder.train(training)
    if painted.shape[-2:] != (SIDE, SIDE):
        enlarged, wanted = painted.shape[-1] / code.shape[-1], SIDE / code.shape[-1]
        raise UserError(f"{name} enlarges {enlarged:g} times, and {layer} of the encoder wants {wanted:g} times")
    return SIDE // code.shape[-1]
