"""Feed-forward neural style (Johnson et al., 2016): a network that paints every image in one learned style."""

from __future__ import annotations

from torch import nn

from toolbox import Algorithm, Output, Values


class NeuralStyle(Algorithm):
    """`real_a`, a photograph, to `fake_b` in the style of `real_b`, all (B, C, H, W).

    Which losses fill the roles decides what is taken from the style: activations of the photograph and Gram matrices
    of the style are the paper's (section 3); colour statistics alone transfer colour, and a `luminance` loss keeps
    light and shade. `content` is that of the photograph, or of `content_a` where the dataset gives it, the photograph
    as a painter simplifies it (`KuwaharaFilter`). `style` losses compare with `real_b`, crops of one picture or of
    many; `style_image` losses hold their picture themselves, and are cheaper by what would be computed of it anew each
    time. `smoothness` is for total variation, `temporal` for a loss that moves the photograph and paints it again
    (`CompoundRegularization`). A discriminator may judge `fake_b` besides, against `real_b`.
    """

    inputs = ("real_a", "real_b")
    generators = ("generator",)
    outputs = {"fake_b": Output("real_a", "generator", keeps_colors=False)}
    adversaries = {"discriminator": ("real_b", "fake_b")}
    optional = ("discriminator",)
    roles = {
        "content": [("fake_b", "content_a")],
        "style": [("fake_b", "real_b")],
        "style_image": [("fake_b",)],
        "smoothness": [("fake_b",)],
        "luminance": [("fake_b", "real_a")],
        "temporal": [("again_b", "real_a", "fake_b")],
    }

    generator: nn.Module

    def translate(self, values: Values) -> None:
        """Paint each photograph once."""
        values["fake_b"] = self.generator(values["real_a"])
        values.setdefault("content_a", values["real_a"])
        values["again_b"] = self.generator
