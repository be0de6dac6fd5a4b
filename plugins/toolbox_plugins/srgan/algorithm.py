"""SRGAN (Ledig et al., 2017): super-resolution by a pixel, a perceptual and an adversarial loss."""

from __future__ import annotations

from torch import Tensor, nn

from toolbox import Algorithm, Output, Values, resize_bicubic


class SRGAN(Algorithm):
    """`lr` (B, C, H, W) to `sr` (B, C, scale*H, scale*W), judged against `hr`.

    The dataset gives `hr`, and `lr` too where pairs exist; else `model.degradation` makes `lr` from `hr`. Without a
    discriminator it is the PSNR-oriented training of the generator alone. The role `temporal`, for
    `CompoundRegularization`, moves `hr` and shrinks it anew, bicubically: by steps finer than a pixel of `lr`.
    """

    inputs = ("lr", "hr")
    derived = {"lr": "hr"}
    generators = ("generator",)
    outputs = {"sr": Output("lr", "generator", keeps_colors=True)}
    adversaries = {"discriminator": ("hr", "sr")}
    optional = ("discriminator",)
    roles = {"pixel": [("sr", "hr")], "perceptual": [("sr", "hr")], "temporal": [("again", "hr", "sr")]}

    generator: nn.Module

    def translate(self, values: Values) -> None:
        """Upscale."""
        values["sr"] = self.generator(values["lr"])
        values["again"] = self.enlarge_again

    def enlarge_again(self, images: Tensor) -> Tensor:
        """Large images (B, C, H, W), made small, enlarged."""
        return self.generator(resize_bicubic(images, down=self.scale_of("sr")))
