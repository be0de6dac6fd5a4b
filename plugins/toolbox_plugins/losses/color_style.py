"""The colours of a style, wherever they stand, on axes that are nearly uncorrelated (Reinhard et al., 2001)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox import Loss, UserError, constant

from .style_files import check_size, mean_statistics

LMS = ((0.3811, 0.5783, 0.0402), (0.1967, 0.7244, 0.0782), (0.0241, 0.1288, 0.8444))
"""Reinhard et al. 2001, equation 4: from RGB to the responses of the eye's cones."""
AXES = (
    tuple(1 / math.sqrt(3) for _ in range(3)),
    tuple(each / math.sqrt(6) for each in (1, 1, -2)),
    (1 / math.sqrt(2), -1 / math.sqrt(2), 0.0),
)
"""Equation 6: achromatic, yellow against blue, red against green."""
DARKEST = 1 / 255
"""Below it the logarithm goes on as its tangent, so that black has a colour and a gradient."""


def to_lab(images: Tensor) -> Tensor:
    """Images (B, 3, H, W) in [0, 1] to l, alpha and beta of Reinhard et al. 2001: (B, 3, H, W).

    The logarithm (to base 10) of cone responses, turned to its principal axes; the RGB values are taken as stored, as
    is usual. Gray v has l = sqrt(3) log10(v) and, nearly, alpha = beta = 0.
    """
    if images.shape[1] != 3:
        raise UserError(f"the colours of a style are those of images with 3 channels, got {images.shape[1]}")
    cones = torch.einsum("kc,bchw->bkhw", constant(LMS, images), images)
    tangent = math.log10(DARKEST) + (cones - DARKEST) / (DARKEST * math.log(10))
    logs = torch.where(cones > DARKEST, cones.clamp(min=DARKEST).log10(), tangent)
    return torch.einsum("kc,bchw->bkhw", constant(AXES, images), logs)


class ColorStyleLoss(Loss, ABC):
    """Base of losses that compare what colours images have, against a second value or against files."""

    def __init__(self, *, image: str | None, size: int | None) -> None:
        super().__init__()
        check_size(size)
        self.image, self.size = image, size

    def measure_style(self) -> None:
        """Keep the statistics of `image`, as the last step of a subclass's constructor."""
        style = None
        if self.image is not None:
            (style,) = mean_statistics(self.image, self.size, lambda pixels: [self.kept(self.describe(to_lab(pixels)))])
        self.register_buffer("style", style, persistent=False)

    @abstractmethod
    def describe(self, colors: Tensor) -> Tensor:
        """The statistics (B, ...) of l, alpha and beta, (B, 3, H, W)."""

    def kept(self, statistics: Tensor) -> Tensor:
        """The statistics of a file, of a shape that does not depend on its size."""
        return statistics

    @abstractmethod
    def difference(self, prediction: Tensor, style: Tensor) -> Tensor:
        """How two statistics differ; a scalar."""

    def forward(self, prediction: Tensor, *targets: Tensor) -> Tensor:
        """Compare images (B, 3, H, W) in [0, 1] with the style, or, without `image`, with one target of any size.

        A float32 scalar; the target gets no gradient, and all are ignored where there is an `image`.
        """
        style = self.style
        if not isinstance(style, Tensor):
            if len(targets) != 1:
                raise UserError(f"{type(self).__name__} has no style: give image, or a role of two values")
            (target,) = targets
            if len(target) != len(prediction):
                raise UserError(f"a loss compares batches of one length, got {len(prediction)} and {len(target)}")
            with torch.no_grad():
                style = self.describe(to_lab(target))
        return self.difference(self.describe(to_lab(prediction)), style)


class ColorMomentLoss(ColorStyleLoss):
    """Squared differences of the mean and the deviation of l, alpha and beta, summed over the three.

    What Reinhard et al. 2001 transfer ("Color Transfer between Images"), as a loss: it paints with a style's palette
    and leaves content and texture to others. `moments: covariance` compares all of the covariance matrix in place of
    the deviations (the squared Frobenius distance), for palettes whose colours go with lightness. `image` is the
    style's file, or a folder whose statistics are averaged, resized so that the shorter side has `size` pixels; without
    it each image is compared with the role's second value.

    Raises:
        UserError: other moments, a bad size or file.
    """

    def __init__(self, *, image: str | None = None, size: int | None = None, moments: str = "deviation") -> None:
        super().__init__(image=image, size=size)
        if moments not in ("deviation", "covariance"):
            raise UserError(f"moments must be deviation or covariance, got {moments!r}")
        self.moments = moments
        self.measure_style()

    def describe(self, colors: Tensor) -> Tensor:
        """Means beside deviations (B, 3, 2), or beside the covariance matrix (B, 3, 4)."""
        flat = colors.flatten(2)  # (B, 3, H*W)
        mean = flat.mean(2, keepdim=True)
        covariance = (flat - mean) @ (flat - mean).transpose(1, 2) / flat.shape[2]  # (B, 3, 3)
        if self.moments == "covariance":
            return torch.cat([mean, covariance], 2)
        deviation = (covariance.diagonal(dim1=1, dim2=2) + 1e-8).sqrt()  # a plain image has a gradient too
        return torch.cat([mean, deviation[..., None]], 2)

    def difference(self, prediction: Tensor, style: Tensor) -> Tensor:
        """The squared distance, the mean over the batch."""
        return (prediction - style).square().sum((1, 2)).mean()

    def extra_repr(self) -> str:
        """As in the config."""
        return f"image={self.image!r}, size={self.size}, moments={self.moments!r}"


class ColorHistogramLoss(ColorStyleLoss):
    """The squared Wasserstein distance of the histograms of l, alpha and beta, summed over the three.

    Of one-dimensional distributions it is the mean squared difference of sorted values: histogram matching, with a
    gradient to every pixel. It is, but for rounding, at least what `ColorMomentLoss` gives, and the same for
    distributions of one shape. `image`, `size` and the second value are as there; of files `quantiles` values are kept,
    averaged over a folder, and linear in between.

    Raises:
        UserError: fewer than 2 quantiles, a bad size or file.
    """

    def __init__(self, *, image: str | None = None, size: int | None = None, quantiles: int = 1024) -> None:
        super().__init__(image=image, size=size)
        if quantiles < 2:
            raise UserError(f"quantiles must be at least 2, got {quantiles}")
        self.quantiles = quantiles
        self.measure_style()

    def describe(self, colors: Tensor) -> Tensor:
        """The sorted values of each axis (B, 3, H*W)."""
        return colors.flatten(2).sort(dim=2).values

    def kept(self, statistics: Tensor) -> Tensor:
        """Their quantiles (B, 3, Q)."""
        return F.interpolate(statistics, self.quantiles, mode="linear", align_corners=False)

    def difference(self, prediction: Tensor, style: Tensor) -> Tensor:
        """The mean over pixels, each beside the style's value of its rank, and over the batch."""
        ranked = F.interpolate(style.to(prediction.dtype), prediction.shape[2], mode="linear", align_corners=False)
        return (prediction - ranked).square().mean(2).sum(1).mean()

    def extra_repr(self) -> str:
        """As in the config."""
        return f"image={self.image!r}, size={self.size}, quantiles={self.quantiles}"
