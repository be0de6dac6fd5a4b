"""MUNIT (Huang et al., 2018): the content of one domain with any style of the other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from toolbox import SEED, STRENGTH, Algorithm, Condition, Output, Parts, Values
from toolbox_plugins.unit.codes import agreed

from .generator import drawn_style

KINDS = {
    "content_encoder_a": "encoders",
    "style_encoder_a": "style_encoders",
    "decoder_a": "decoders",
    "content_encoder_b": "encoders",
    "style_encoder_b": "style_encoders",
    "decoder_b": "decoders",
}
CONTENT = ("content_encoder_a", "decoder_a", "content_encoder_b", "decoder_b")


class MUNIT(Algorithm):
    """`real_a` to `fake_b` and `real_b` to `fake_a`: one domain's content code, decoded with a style of the other.

    In training styles are drawn from N(0, 1), one for each sample, from torch's global random state. Roles, each
    computed only where it has a loss: `reconstruction` within a domain with the image's own style; `content` and
    `style`, the codes of a fake against those it was made from; `cycle`, back with the first image's own style; and
    `perceptual`, what a translation keeps of its input. Weights published for images in [-1, 1] double here:
    reconstruction 20; those of codes and features stay.

    Prediction takes the style of a picture of the wanted domain, by that domain's style encoder, or one drawn by a
    seed, the same for a whole batch. With `strength` below 1 it goes towards what the *wanted* domain's style encoder
    sees in the input: the two domains' styles have no axes in common, so the input's own, of its own domain, would mean
    nothing to the decoder. At 0 the result is therefore not the input, but an image of the wanted domain in the style
    that is nearest to it.

    A style encoder is trained by `reconstruction`, `style` or `cycle`; several processes need one of them.

    Raises:
        ConfigError: `channels` of the content encoders and decoders differ, or `style_channels` within a domain.
    """

    inputs = ("real_a", "real_b")
    kinds = KINDS
    generators = tuple(KINDS)
    outputs = {
        f"fake_{there}": Output(
            f"real_{here}",
            f"content_encoder_{here}",
            f"style_encoder_{there}",
            f"decoder_{there}",
            keeps_colors=False,
            conditions=(Condition("style", "picture", source=f"real_{there}"), STRENGTH, SEED),
        )
        for here, there in ("ab", "ba")
    }
    adversaries = {"discriminator_a": ("real_a", "fake_a"), "discriminator_b": ("real_b", "fake_b")}
    roles = {
        "reconstruction": [("same_a", "real_a"), ("same_b", "real_b")],
        "content": [("fake_content_b", "content_a"), ("fake_content_a", "content_b")],
        "style": [("fake_style_b", "drawn_b"), ("fake_style_a", "drawn_a")],
        "cycle": [("rec_a", "real_a"), ("rec_b", "real_b")],
        "perceptual": [("fake_b", "real_a"), ("fake_a", "real_b")],
    }

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        agreed(parts, CONTENT, "channels")
        self.style_channels = {
            domain: agreed(parts, (f"style_encoder_{domain}", f"decoder_{domain}"), "style_channels") for domain in "ab"
        }

    def translate(self, values: Values) -> None:
        """Translate both ways with styles at random; then reconstruct, encode the fakes, and come back."""
        for here, there in (("a", "b"), ("b", "a")):
            images = values[f"real_{here}"]
            content = values[f"content_{here}"] = getattr(self, f"content_encoder_{here}")(images)
            drawn = torch.randn_like(images.new_empty(len(images), self.style_channels[there]))
            values[f"drawn_{there}"] = drawn
            fake = values[f"fake_{there}"] = getattr(self, f"decoder_{there}")(content, drawn)
            if self.wants("reconstruction") or self.wants("cycle"):
                values[f"style_{here}"] = getattr(self, f"style_encoder_{here}")(images)
            if self.wants("reconstruction"):
                values[f"same_{here}"] = getattr(self, f"decoder_{here}")(content, values[f"style_{here}"])
            if self.wants("content") or self.wants("cycle"):
                content = values[f"fake_content_{there}"] = getattr(self, f"content_encoder_{there}")(fake)
            if self.wants("style"):
                values[f"fake_style_{there}"] = getattr(self, f"style_encoder_{there}")(fake)
            if self.wants("cycle"):
                values[f"rec_{here}"] = getattr(self, f"decoder_{here}")(content, values[f"style_{here}"])

    def condition(self, output: str, chosen: dict[str, Any]) -> tuple[Tensor, Tensor | None]:
        """The style (1 or B, style_channels) of a picture, of one each, or drawn by a seed; how much, if not all."""
        if chosen["style"] is None:
            device = chosen["strength"]
            wanted = drawn_style(chosen["seed"], self.style_channels[output[-1]]).to(device)
        else:
            wanted = self.averaged_network(f"style_encoder_{output[-1]}")(chosen["style"])
        asked = torch.compiler.is_exporting() or bool((chosen["strength"] < 1).any())
        return wanted, chosen["strength"][:, None] if asked else None

    def generate(self, output: str, values: Values, state: tuple[Tensor, Tensor | None]) -> Tensor:
        """The output of images (B, C, H, W) in a style that `condition` gave."""
        content_encoder, style_encoder, decoder = map(self.averaged_network, self.outputs[output].networks)
        images, (wanted, strength) = values[self.outputs[output].source], state
        if strength is not None:
            wanted = torch.lerp(style_encoder(images), wanted, strength)
        return decoder(content_encoder(images), wanted.expand(images.shape[0], -1))
