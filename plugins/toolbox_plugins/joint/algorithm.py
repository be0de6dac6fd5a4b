"""Unpaired stylisation and super-resolution, learned together by one network."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from toolbox import STRENGTH, Algorithm, Output, Parts, UserError, Values, resize_bicubic, unwrapped
from toolbox_plugins.degradations.jpeg import jpeg


class StyleSuperResolution(Algorithm):
    """A small photograph `lr_a` (B, C, h, w) to a large picture `fake_b` (B, C, scale*h, scale*w) of domain B.

    One generator, `generator_ab(images, strength)`, does it all; strength (B,) is 0 where the input's own domain is
    kept and 1 where domain B is wanted. At 0 it learns true, paired super-resolution: of photographs (`sr_a`) and of
    pictures of domain B (`sr_b`). At 1 it learns domain B unpaired: `discriminator_texture` judges the large output,
    `discriminator_style` the output shrunk again, for palette and layout.

    `generator_ba` translates back at low resolution (its scale is 1): the cycle closes there, through noise and JPEG
    that destroy codes too fine to see (Chu et al., 2017, found such codes in CycleGAN). Its translation of small
    pictures of domain B, judged by `discriminator_photo`, gives the generator paired material of the task itself:
    `rec_b`, the large picture back from its small "photograph".

    Roles: `super_resolution` (at strength 0, photographs and pictures of B), `cycle` (photographs, small), `restyle`
    (pictures of B, large, and back from the translation), `identity` (small photographs stay what they are),
    `content` and `luminance` (small output, small input), `strength` (an output of a strength between, and the mixture
    of both ends it is to be), `temporal` and `temporal_sr` (at strength 1 and 0: a photograph that moves, made small
    and enlarged again, for `CompoundRegularization`).

    Args:
        noise: largest deviation of the Gaussian noise on the way back; each image has its own, from 0 to this.
        jpeg_quality: lowest and highest quality of the JPEG on the way back, or null for none. Its rounding passes
            gradients straight through.

    Raises:
        UserError: a range is not one, `generator_ba` changes the size, or `generator_ab` takes no strength.
    """

    inputs = ("real_a", "real_b", "lr_a", "lr_b")
    derived = {"lr_a": "real_a", "lr_b": "real_b"}
    generators = ("generator_ab", "generator_ba")
    outputs = {
        "fake_b": Output("lr_a", "generator_ab", keeps_colors=False, conditions=(STRENGTH,)),
        "half_b": Output("lr_a", "generator_ab", keeps_colors=False),
        "sr_a": Output("lr_a", "generator_ab", keeps_colors=True),
        "sr_b": Output("lr_b", "generator_ab", keeps_colors=True),
        "fake_a": Output("lr_b", "generator_ba", keeps_colors=False),
    }
    fixed = {"half_b": 0.5, "sr_a": 0.0, "sr_b": 0.0}
    """Strengths of the outputs that have no choice."""
    adversaries = {
        "discriminator_texture": ("real_b", "fake_b"),
        "discriminator_style": ("small_b", "fake_small"),
        "discriminator_photo": ("small_a", "fake_a"),
    }
    optional = ("discriminator_style", "discriminator_photo")
    roles = {
        "super_resolution": [("sr_a", "real_a"), ("sr_b", "real_b")],
        "cycle": [("rec_a", "small_a")],
        "restyle": [("rec_b", "real_b")],
        "identity": [("same_a", "small_a")],
        "content": [("fake_small", "small_a")],
        "luminance": [("fake_small", "small_a")],
        "strength": [("part_b", "mixed_b")],
        "temporal": [("again_b", "real_a", "fake_b")],
        "temporal_sr": [("again_sr", "real_a", "sr_a")],
    }

    generator_ab: nn.Module
    generator_ba: nn.Module

    def __init__(self, parts: Parts, *, noise: float = 3 / 255, jpeg_quality: list[int] | None = None) -> None:
        super().__init__(parts)
        if not 0 <= noise < 1:
            raise UserError(f"noise must be from 0 to 1, a deviation of images in [0, 1], got {noise}")
        if jpeg_quality is not None and not (len(jpeg_quality) == 2 and 1 <= jpeg_quality[0] <= jpeg_quality[1] <= 100):
            raise UserError(f"jpeg_quality must be two numbers from 1 to 100, the lower first, got {jpeg_quality}")
        if self.scale_of("fake_a") != 1:
            raise UserError(
                f"generator_ba translates at low resolution: its scale must be 1, got {self.scale_of('fake_a')}"
            )
        refuse_ungraded(parts.networks["generator_ab"])
        self.noise, self.jpeg_quality = noise, jpeg_quality
        self.scale = self.scale_of("fake_b")

    def translate(self, values: Values) -> None:
        """One pass of the generator for all strengths; back at low resolution, and forth again, where that counts."""
        values["small_a"], values["small_b"] = (self.shrink(values[name]) for name in ("real_a", "real_b"))
        self.upscale(values)
        if "fake_b" in values:
            values["fake_small"] = self.shrink(values["fake_b"])
        small = {"fake_a": values["small_b"]} if self.wants_photographs() else {}
        if self.wants("cycle"):
            small["rec_a"] = self.destroy(values["fake_small"])
        if self.wants("identity"):
            small["same_a"] = values["small_a"]
        values.update(in_one_pass(self.generator_ba, small))
        if self.wants("restyle"):
            values["rec_b"] = self.generator_ab(values["fake_a"], torch.ones_like(values["fake_a"][:, 0, 0, 0]))

    def upscale(self, values: Values) -> None:
        """`fake_b` at strength 1, unless nothing looks at it, and whatever else a role asks for, in one pass."""
        ones = torch.ones_like(values["lr_a"][:, 0, 0, 0])  # (B,)
        images: dict[str, Tensor] = {}
        strengths: dict[str, Tensor] = {}
        if self.wants_style():
            images["fake_b"], strengths["fake_b"] = values["lr_a"], ones
        if any(map(self.wants, ("super_resolution", "strength", "temporal_sr"))):
            images["sr_a"], strengths["sr_a"] = values["lr_a"], 0 * ones
        if self.wants("super_resolution"):
            images["sr_b"], strengths["sr_b"] = values["lr_b"], 0 * ones
        if self.wants("strength"):
            images["part_b"], strengths["part_b"] = values["lr_a"], torch.rand_like(ones)
        values.update(in_one_pass(self.generator_ab, images, strengths))
        values["again_b"], values["again_sr"] = (partial(self.upscale_again, strength=each) for each in (1.0, 0.0))
        if self.wants("strength"):
            share = strengths["part_b"][:, None, None, None]
            values["mixed_b"] = torch.lerp(values["sr_a"].detach(), values["fake_b"].detach(), share)

    def upscale_again(self, images: Tensor, strength: float) -> Tensor:
        """Large photographs (B, C, H, W), made small, upscaled at one strength."""
        return self.generator_ab(self.shrink(images), torch.full_like(images[:, 0, 0, 0], strength))

    def wants_style(self) -> bool:
        """Whether anything looks at photographs in the style."""
        judges = any(map(self.plays, ("discriminator_texture", "discriminator_style")))
        return judges or any(map(self.wants, ("cycle", "content", "luminance", "strength", "temporal")))

    def wants_photographs(self) -> bool:
        """Whether domain B is translated back: for its discriminator, or for the way forth again."""
        return self.plays("discriminator_photo") or self.wants("restyle")

    def shrink(self, images: Tensor) -> Tensor:
        """Large images (B, C, H, W) to small ones, bicubically."""
        return resize_bicubic(images, down=self.scale)

    def destroy(self, images: Tensor) -> Tensor:
        """Noise, and JPEG, of a strength of its own on each image (B, C, h, w)."""
        deviation = self.noise * torch.rand_like(images[:, :1, :1, :1])
        images = images + deviation * torch.randn_like(images)
        if self.jpeg_quality is None:
            return images
        low, high = self.jpeg_quality
        quality = low + (high - low) * torch.rand_like(images[:, 0, 0, 0])
        return jpeg(images, quality, rounding="straight_through")

    def generate(self, output: str, values: Values, state: dict[str, Any]) -> Tensor:
        """An output of small images (B, C, h, w): `fake_b` at the strength chosen, the others at their `fixed` ones."""
        if output == "fake_a":
            return super().generate(output, values, state)
        images = values[self.outputs[output].source]
        strength = images.new_full((images.shape[0],), self.fixed.get(output, 1.0))
        if output not in self.fixed:
            strength = state["strength"].expand(images.shape[0])
        return self.averaged_network("generator_ab")(images, strength)


def refuse_ungraded(generator: nn.Module) -> None:
    """Raise UserError for a generator whose `forward` takes images alone."""
    if len(inspect.signature(unwrapped(generator).forward).parameters) < 2:
        raise UserError(
            f"generator_ab: {type(unwrapped(generator)).__name__} takes images alone; StyleSuperResolution asks for "
            "forward(images, strength), as toolbox.GradedGenerator describes it and StyleSRNet has it"
        )


def in_one_pass(network: nn.Module, *arguments: dict[str, Tensor]) -> dict[str, Tensor]:
    """Call a network once on named batches of one shape, and give each name its part of the result."""
    names = list(arguments[0])
    if not names:
        return {}
    together = network(*(torch.cat([each[name] for name in names]) for each in arguments))
    sizes = [len(arguments[0][name]) for name in names]
    return dict(zip(names, together.split(sizes), strict=True))
