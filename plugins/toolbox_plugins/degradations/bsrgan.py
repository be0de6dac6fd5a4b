"""BSRGAN's degradation: blurs, downsampling, noise and JPEG in a random order."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox import Degradation, UserError, resize_to

from .blur import Blur
from .filtering import filter_images
from .jpeg_stage import JPEG
from .kernels import gaussian_kernels
from .noise import CorrelatedNoise, GaussianNoise, Quantize
from .resize import FinalResize, RandomResize
from .stage import Draws, Size, Stage, check_probability, uniform
from .stages import OneOf, Shuffle, Stages

ISOTROPIC, ANISOTROPIC = (1.0, 0, 0, 0, 0, 0), (0, 1.0, 0, 0, 0, 0)
FILTERS = ("bilinear", "bicubic", "area")


class BSRGANDegradation(Stages):
    """The degradation of BSRGAN (Zhang et al. 2021), with the published ranges as defaults.

    Two blurs, two downsamplings, noise and JPEG in a random order, the second downsampling (to 1/scale) after the
    first, then JPEG once more. For a scale of 4, a quarter of the samples is halved first and treated as scale 2.
    Deviations: the camera's image pipeline (`isp`, used with probability 0.25 where its model is at hand) is left out;
    filters are torch's bilinear, bicubic and area instead of OpenCV's.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        halve_probability: float = 0.25,
        kernel_sizes: tuple[int, int] = (7, 25),
        noise_sigma: tuple[float, float] = (2.0, 25.0),
        noise_kinds: tuple[float, float, float] = (0.4, 0.4, 0.2),
        jpeg_probability: float = 0.9,
        jpeg_quality: tuple[int, int] = (30, 95),
        resize_probability: float = 0.75,
    ) -> None:
        """`noise_kinds` weighs noise of each channel for itself, equal in all channels, and correlated;
        `resize_probability` is that of a random resize as the first downsampling, else a shifted Gaussian's.
        """
        if scale not in (1, 2, 3, 4):
            raise UserError(f"scale must be 1, 2, 3 or 4, got {scale}")
        check_probability("halve_probability", halve_probability)
        check_probability("resize_probability", resize_probability)
        if len(noise_kinds) != 3:
            raise UserError(f"noise_kinds must be 3 weights, got {list(noise_kinds)}")
        color, gray, correlated = noise_kinds

        def blur(factor: int) -> OneOf:
            variance, sigma = (0.0, 4.0 + factor), (0.0, 2 + 0.2 * factor)
            return OneOf(
                stages={
                    "anisotropic": Blur(
                        sizes=kernel_sizes, shapes=ANISOTROPIC, sigma=variance, spread="variance", sinc_probability=0
                    ),
                    "isotropic": Blur(sizes=kernel_sizes, shapes=ISOTROPIC, sigma=sigma, sinc_probability=0),
                }
            )

        def noise() -> OneOf:
            return OneOf(
                stages={
                    "color": GaussianNoise(sigma=noise_sigma, gray_probability=0),
                    "gray": GaussianNoise(sigma=noise_sigma, gray_probability=1),
                    "correlated": CorrelatedNoise(sigma=noise_sigma[1]),
                },
                weights={"color": color, "gray": gray, "correlated": correlated},
            )

        def shuffled(factor: int) -> Shuffle:
            resize = RandomResize(
                scale_range=(1 / (2 * factor), 1), directions=(0, 1, 0), draw_inverse=True, modes=FILTERS
            )
            strided = ShiftedGaussian(factor=factor)
            first = OneOf(
                stages={"resize": resize, "strided": strided},
                weights={"resize": resize_probability, "strided": 1 - resize_probability},
            )
            stages: dict[str, Degradation] = {
                "blur": blur(factor),
                "second_blur": blur(factor),
                "first_resize": first,
                "final_resize": FinalResize(modes=FILTERS),
                "noise": noise(),
                "jpeg": JPEG(quality=jpeg_quality, probability=jpeg_probability),
            }
            return Shuffle(stages=stages, in_order=("first_resize", "final_resize"))

        recipe: Degradation = shuffled(scale)
        if scale == 4:
            halved = Stages(stages={"halve": Halve(), "shuffled": shuffled(2)})
            recipe = OneOf(
                stages={"whole": recipe, "halved": halved},
                weights={"whole": 1 - halve_probability, "halved": halve_probability},
            )
        super().__init__(
            scale=scale,
            stages={"shuffled": recipe, "last_jpeg": JPEG(quality=jpeg_quality), "quantize": Quantize()},
        )


class Halve(Stage):
    """Halves both sides: for half of the samples with a random filter, else as MATLAB's imresize does."""

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        matlab = torch.rand(count, generator=rng) < 0.5
        return {"matlab": matlab, "mode": torch.randint(len(FILTERS), (count,), generator=rng)}

    def treat(self, samples: list[Tensor], draws: Draws, final: Size) -> list[Tensor]:
        from .resize import resize

        results = []
        for sample, matlab, mode in zip(samples, draws["matlab"].tolist(), draws["mode"].tolist(), strict=True):
            size = (max(1, sample.shape[-2] // 2), max(1, sample.shape[-1] // 2))
            images = sample[None]
            results.append((resize_to(images, size) if matlab else resize(images, size, mode=FILTERS[mode]))[0])
        return [result.clamp(0, 1) for result in results]


class ShiftedGaussian(Stage):
    """Blurs with a Gaussian centred between the pixels that every `factor`-th pixel, kept, stands for."""

    def __init__(self, *, factor: int, width: int = 25, probability: float = 1.0) -> None:
        super().__init__(probability=probability)
        self.factor, self.width = factor, width

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        return {"sigma": uniform(count, (0.1, 0.6 * self.factor), rng)}

    def treat(self, samples: list[Tensor], draws: Draws, final: Size) -> list[Tensor]:
        sizes = torch.full((len(samples),), self.width)
        sigma = draws["sigma"]
        kernels = gaussian_kernels(sigma, sigma, torch.zeros_like(sigma), sizes=sizes, width=self.width)
        kernels = shifted(kernels, (self.factor - 1) / 2)
        return [
            filter_images(sample[None], kernel[None].to(sample.device))[0, :, :: self.factor, :: self.factor]
            for sample, kernel in zip(samples, kernels, strict=True)
        ]


def shifted(kernels: Tensor, by: float) -> Tensor:
    """Move kernels (B, k, k) down and right by a fraction of pixels, bilinearly; the sums stay 1."""
    whole, part = int(by), by - int(by)
    padded = torch.nn.functional.pad(kernels, (whole + 1, 0, whole + 1, 0))
    size = kernels.shape[-1]
    moved = torch.zeros_like(kernels)
    for dy, wy in ((1, 1 - part), (0, part)):
        for dx, wx in ((1, 1 - part), (0, part)):
            moved += wy * wx * padded[:, dy : dy + size, dx : dx + size]
    return moved / moved.sum((-2, -1), keepdim=True)
