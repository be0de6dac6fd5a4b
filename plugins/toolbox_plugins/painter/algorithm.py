"""A network that paints small photographs large, taught by pictures of several styles and the large photographs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from toolbox import STRENGTH, Algorithm, Output, Parts, UserError, Values, resize_bicubic

from .strokes import resting
from .styles import shares_of, styles_of, taught_by


class PaintedSuperResolution(Algorithm):
    """A small photograph `lr_a` (B, 3, h, w) to a large picture `fake_b` (B, 3, scale*h, scale*w) in one of N styles.

    `generator(images, strength, style)` enlarges at strength 0 and paints at strength 1, and is taught to paint: each
    sample in a style of its own, drawn anew from those that the losses have pictures of, from the small photograph,
    which a degradation may have damaged. What is wanted of the painting comes from losses: `style` compares it with the
    pictures of its style (`StyleImagesLoss`), `content` and `luminance` with the *large* photograph, or `content` with
    what a dataset gives as `content_a`, the photograph as a painter simplifies it (`KuwaharaFilter`); `smoothness` is
    for total variation and the like, `temporal` for one that moves the photograph and has it painted again, in the
    same style (`CompoundRegularization`).

    A dataset that gives paintings `real_b` with the number of their style, `style_b` (B,), as `StyledFolders` does, has
    each photograph painted in that style; then `example` compares it with that very painting, and discriminators judge
    it: `discriminator` at full size, `discriminator_small` shrunk. Both see the style, as one more plane for each.

    Args:
        shift: pixels by which what is judged is moved at random, cut off at the borders: feature networks go over an
            image in steps, and a generator finds the patterns that are always under the same step, which are a grid.

    Raises:
        UserError: the generator has no styles, or the losses of `style` others than it, or `shift` is negative.
    """

    inputs = ("real_a", "lr_a")
    derived = {"lr_a": "real_a"}
    generators = ("generator",)
    adversaries = {
        "discriminator": ("marked_b", "marked_fake"),
        "discriminator_small": ("marked_small_b", "marked_small_fake"),
    }
    optional = ("discriminator", "discriminator_small")
    outputs = {
        "fake_b": Output("lr_a", "generator", keeps_colors=False, conditions=(STRENGTH,)),
        "half_b": Output("lr_a", "generator", keeps_colors=False),
        "sr_a": Output("lr_a", "generator", keeps_colors=True),
    }
    fixed = {"half_b": 0.5, "sr_a": 0.0}
    """Strengths of the outputs that have no choice."""
    roles = {
        "style": [("fake_b", "style_b")],
        "example": [("fake_b", "real_b")],
        "content": [("fake_b", "content_a")],
        "luminance": [("fake_b", "real_a")],
        "smoothness": [("fake_b",)],
        "temporal": [("again_b", "whole_a", "whole_b")],
    }

    generator: nn.Module

    def __init__(self, parts: Parts, *, shift: int = 0) -> None:
        super().__init__(parts)
        if shift < 0:
            raise UserError(f"shift must be 0 or more pixels, got {shift}")
        self.shift = shift
        self.styles = styles_of(parts, "StyleSPAN")
        drawn, style = taught_by(parts, self.styles)
        self.register_buffer("drawn", drawn, persistent=False)
        self.scale = self.scale_of("fake_b")
        painted = Output("lr_a", "generator", keeps_colors=False, conditions=(style, STRENGTH))
        half = Output("lr_a", "generator", keeps_colors=False, conditions=(style,))
        self.outputs = {"fake_b": painted, "half_b": half, "sr_a": self.outputs["sr_a"]}

    def translate(self, values: Values) -> None:
        """Paint each small photograph in a style; mark what discriminators are going to see with it."""
        images = values["lr_a"]
        shares = shares_of(values, self.get_buffer("drawn"), len(self.styles), images)
        values["fake_b"] = self.generator(images, None, shares)
        values["again_b"] = partial(self.paint_again, shares=shares)
        values["whole_a"], values["whole_b"] = values["real_a"], values["fake_b"]
        values.setdefault("content_a", values["real_a"])
        self.move(values, "fake_b", "real_a", "content_a")
        if "real_b" in values:
            self.move(values, "real_b")  # of the fakes' size
            real, fake = values["real_b"], values["fake_b"]
            values["marked_b"], values["marked_fake"] = marked(real, shares), marked(fake, shares)
            small = (resize_bicubic(each, down=self.scale) for each in (real, fake))
            values["marked_small_b"], values["marked_small_fake"] = (marked(each, shares) for each in small)

    def paint_again(self, images: Tensor, shares: Tensor) -> Tensor:
        """Large photographs (B, 3, H, W), made small, painted in the styles of shares (B, styles); strokes stay."""
        with resting(self.generator):
            return self.generator(resize_bicubic(images, down=self.scale), None, shares)

    def move(self, values: Values, *names: str) -> None:
        """Cut images of one size at the same random place, so that they lose `shift` pixels of each side."""
        if self.shift:
            top, left = (int(torch.randint(self.shift + 1, ())) for _ in range(2))  # on the CPU, as all random sizes
            height, width = (side - self.shift for side in values[names[0]].shape[-2:])
            for name in names:
                values[name] = values[name][..., top : top + height, left : left + width]

    @classmethod
    def example_inputs(cls, count: int, size: int) -> dict[str, Tensor]:
        """Photographs, and paintings with the numbers of their styles."""
        photographs, paintings = torch.rand(2, count, 3, size, size)
        return {"real_a": photographs, "real_b": paintings, "style_b": torch.arange(count) % 2}

    def condition(self, output: str, chosen: dict[str, Any]) -> dict[str, Any]:
        """Strength and style; at strength 1 the upscaler is not asked, and at 0 the painter is not."""
        strength: Any = self.fixed.get(output, chosen.get("strength"))
        way = "mix"
        if isinstance(strength, float):
            way = "mix" if strength else "enlarge"
        elif not torch.compiler.is_exporting():  # there it is anything from 0 to 1
            every = set(strength.flatten().tolist())
            way = {0.0: "enlarge", 1.0: "paint"}.get(every.pop(), "mix") if len(every) == 1 else "mix"
        return {"way": way, "strength": strength, "style": chosen.get("style"), "statistics": None}

    def survey(self, output: str, values: Values, state: dict[str, Any]) -> dict[str, Any]:
        """What instance norm measures over the whole photograph."""
        if state["way"] == "enlarge":
            return state
        network: Any = self.averaged_network("generator")
        return {**state, "statistics": network.survey(values["lr_a"], state["style"])}

    def generate(self, output: str, values: Values, state: dict[str, Any]) -> Tensor:
        """`fake_b` at the strength and in the style chosen; `half_b` at half of it; `sr_a`, enlarged alone."""
        network: Any = self.averaged_network("generator")
        images = values["lr_a"]
        if state["way"] == "enlarge":
            return network(images, 0.0)
        strength = None if state["way"] == "paint" else state["strength"]
        if isinstance(strength, Tensor):
            strength = strength.expand(images.shape[0])
        return network(images, strength, state["style"], state["statistics"])


def marked(images: Tensor, shares: Tensor) -> Tensor:
    """Images (B, C, H, W) with one more plane for each style: (B, C + styles, H, W)."""
    planes = shares[:, :, None, None].to(images).expand(-1, -1, *images.shape[-2:])
    return torch.cat([images, planes], 1)
