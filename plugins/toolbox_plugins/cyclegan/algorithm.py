"""CycleGAN (Zhu et al., 2017): unpaired translation between two domains with cycle consistency."""

from __future__ import annotations

from torch import nn

from toolbox import Algorithm, Output, Values


class CycleGAN(Algorithm):
    """`real_a` to `fake_b` and `real_b` to `fake_a`, both (B, C, H, W); a cycle must come back to where it began.

    Weights published for images in [-1, 1] double here: cycle 20, identity 10. The role `luminance` compares a
    translation with its input, for a loss that holds on to light and dark against inverted colours; not in the paper.
    Nor is `temporal`, for `CompoundRegularization`: a picture that moves shall be translated alike.
    """

    inputs = ("real_a", "real_b")
    generators = ("generator_ab", "generator_ba")
    outputs = {
        "fake_b": Output("real_a", "generator_ab", keeps_colors=False),
        "fake_a": Output("real_b", "generator_ba", keeps_colors=False),
    }
    adversaries = {"discriminator_a": ("real_a", "fake_a"), "discriminator_b": ("real_b", "fake_b")}
    roles = {
        "cycle": [("rec_a", "real_a"), ("rec_b", "real_b")],
        "identity": [("same_a", "real_a"), ("same_b", "real_b")],
        "luminance": [("fake_b", "real_a"), ("fake_a", "real_b")],
        "temporal": [("again_b", "real_a", "fake_b"), ("again_a", "real_b", "fake_a")],
    }

    generator_ab: nn.Module
    generator_ba: nn.Module

    def translate(self, values: Values) -> None:
        """Translate both ways, and back where the cycle counts; show each generator its own domain for identity."""
        values["fake_b"] = self.generator_ab(values["real_a"])
        values["fake_a"] = self.generator_ba(values["real_b"])
        values["again_b"], values["again_a"] = self.generator_ab, self.generator_ba
        if self.wants("cycle"):
            values["rec_a"] = self.generator_ba(values["fake_b"])
            values["rec_b"] = self.generator_ab(values["fake_a"])
        if self.wants("identity"):
            values["same_a"] = self.generator_ba(values["real_a"])
            values["same_b"] = self.generator_ab(values["real_b"])
