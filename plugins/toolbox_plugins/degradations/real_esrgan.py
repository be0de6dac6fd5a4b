"""Real-ESRGAN's second-order degradation: blur, resize, noise and JPEG, twice, and a sinc at the end."""

from __future__ import annotations

from math import pi

from toolbox import Degradation

from .blur import Blur, SincFilter
from .jpeg_stage import JPEG
from .noise import GaussianNoise, PoissonNoise, Quantize
from .resize import FinalResize, RandomResize
from .sharpen import Sharpen
from .stage import check_probability
from .stages import OneOf, Stages


class RealESRGANDegradation(Stages):
    """The degradation of Real-ESRGAN (Wang et al. 2021), with the published ranges as defaults.

    The stages are `sharpen, blur, resize, noise, jpeg, second_blur, second_resize, second_noise, end, quantize`; `end`
    is the resize to 1/scale with the final sinc, before or after the second JPEG. Deviations: factors, filters and
    choices are drawn per sample where the published code draws them per batch, and qualities are whole. Shuffling
    batches in a pool of 180 is left out: with parameters per sample it is not needed.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        sharpen: bool = True,
        kernel_sizes: tuple[int, int] = (7, 21),
        kernel_shapes: tuple[float, ...] = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03),
        beta_gaussian: tuple[float, float] = (0.5, 4.0),
        beta_plateau: tuple[float, float] = (1.0, 2.0),
        sinc_probability: float = 0.1,
        blur_sigma: tuple[float, float] = (0.2, 3.0),
        resize_directions: tuple[float, float, float] = (0.2, 0.7, 0.1),
        resize_range: tuple[float, float] = (0.15, 1.5),
        gaussian_probability: float = 0.5,
        noise_sigma: tuple[float, float] = (1.0, 30.0),
        poisson_scale: tuple[float, float] = (0.05, 3.0),
        gray_probability: float = 0.4,
        jpeg_quality: tuple[int, int] = (30, 95),
        second_sinc_probability: float = 0.1,
        second_blur_probability: float = 0.8,
        second_blur_sigma: tuple[float, float] = (0.2, 1.5),
        second_resize_directions: tuple[float, float, float] = (0.3, 0.4, 0.3),
        second_resize_range: tuple[float, float] = (0.3, 1.2),
        second_gaussian_probability: float = 0.5,
        second_noise_sigma: tuple[float, float] = (1.0, 25.0),
        second_poisson_scale: tuple[float, float] = (0.05, 2.5),
        second_gray_probability: float = 0.4,
        second_jpeg_quality: tuple[int, int] = (30, 95),
        final_sinc_probability: float = 0.8,
        final_sinc_cutoff: tuple[float, float] = (pi / 3, pi),
        resize_modes: tuple[str, ...] = ("area", "bilinear", "bicubic"),
    ) -> None:
        """`kernel_shapes` weighs `blur.SHAPES`; directions weigh up, down and keep; sigmas of noise are 8-bit levels.

        `sharpen` damages the sharpened image, as published; the ground truth of the losses is the trainer's business.
        """

        def blur(sigma: tuple[float, float], sinc: float, probability: float) -> Blur:
            return Blur(
                sizes=kernel_sizes,
                shapes=kernel_shapes,
                sigma=sigma,
                beta_gaussian=beta_gaussian,
                beta_plateau=beta_plateau,
                sinc_probability=sinc,
                probability=probability,
            )

        def noise(
            name: str, share: float, sigma: tuple[float, float], strength: tuple[float, float], gray: float
        ) -> OneOf:
            check_probability(name, share)
            gaussian = GaussianNoise(sigma=sigma, gray_probability=gray)
            poisson = PoissonNoise(scale=strength, gray_probability=gray)
            return OneOf(
                stages={"gaussian": gaussian, "poisson": poisson}, weights={"gaussian": share, "poisson": 1 - share}
            )

        def end(jpeg_first: bool) -> Stages:
            jpeg: dict[str, Degradation] = {"jpeg": JPEG(quality=second_jpeg_quality)}
            small: dict[str, Degradation] = {
                "resize": FinalResize(modes=resize_modes),
                "sinc": SincFilter(sizes=kernel_sizes, cutoff=final_sinc_cutoff, probability=final_sinc_probability),
            }
            return Stages(stages=jpeg | small if jpeg_first else small | jpeg)

        super().__init__(
            scale=scale,
            stages={
                "sharpen": Sharpen(probability=float(sharpen)),
                "blur": blur(blur_sigma, sinc_probability, 1.0),
                "resize": RandomResize(scale_range=resize_range, directions=resize_directions, modes=resize_modes),
                "noise": noise(
                    "gaussian_probability", gaussian_probability, noise_sigma, poisson_scale, gray_probability
                ),
                "jpeg": JPEG(quality=jpeg_quality),
                "second_blur": blur(second_blur_sigma, second_sinc_probability, second_blur_probability),
                "second_resize": RandomResize(
                    scale_range=second_resize_range,
                    directions=second_resize_directions,
                    relative_to="final",
                    modes=resize_modes,
                ),
                "second_noise": noise(
                    "second_gaussian_probability",
                    second_gaussian_probability,
                    second_noise_sigma,
                    second_poisson_scale,
                    second_gray_probability,
                ),
                "end": OneOf(stages={"resize_first": end(False), "jpeg_first": end(True)}),
                "quantize": Quantize(),
            },
        )
