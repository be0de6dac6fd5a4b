"""Photographs as a painter simplifies them: dabs of one colour along what is there, edges as sharp as they were."""

from __future__ import annotations

from math import ceil, cos, pi, sin

import cv2
import numpy as np
import torch
from torch import Tensor

from toolbox import Images, Sizes, Transform, UserError

from .naming import coloured, painted

SECTORS = 8
SHARPNESS = 8.0
"""The power of a sector's deviation, in levels of 8 bits, that its mean is divided by."""
SMOOTH = 2.0
"""Deviation of the Gaussian that directions are smoothed by, in pixels."""
ROWS = 24
"""Rows that are computed at once: what is needed for more leaves a core's cache, and takes five times as long."""
DERIVATIVE = np.array([[-0.183, 0.0, 0.183], [-0.634, 0.0, 0.634], [-0.183, 0.0, 0.183]], np.float32) / 2
"""Horizontal: nearly as steep in every direction."""


class KuwaharaFilter(Transform):
    """Each pixel becomes the mean of that side of its surroundings which varies least, of `source` into `target`.

    The anisotropic Kuwahara filter (Kyprianidis et al., 2009) with polynomial weights of its eight sectors (Kyprianidis
    et al., 2010): surroundings are an ellipse that is laid along edges and hair, so that grain finer than a dab goes
    and outlines stay, bent like strokes; straight fine lines stay too. Deterministic. By default in place.

    512x384 pixels with a radius of 6 take five seconds of one core: ask for it under `once` of an `ImageFolder`.

    Args:
        radius: of the surroundings, in pixels: half a dab's width. Where things have a direction the ellipse is up to
            twice as long and half as wide.

    Raises:
        UserError: `radius` is below 1 or above 32.
    """

    def __init__(self, *, source: str, target: str | None = None, radius: float = 6.0) -> None:
        if not 1 <= radius <= 32:
            raise UserError(f"radius must be from 1 to 32 pixels, got {radius}")
        self.source, self.target, self.radius = source, target or source, radius

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        image = coloured(images, self.source, self)
        made = abstracted(image.astype(np.float32) / 255, self.radius)[0].clamp(0, 1) * 255
        return {**images, self.target: made.round().byte().permute(1, 2, 0).contiguous().numpy()}

    def sizes_after(self, sizes: Sizes) -> Sizes:
        return painted(sizes, self.source, self.target, self)


@torch.inference_mode()
def abstracted(image: np.ndarray, radius: float) -> Tensor:
    """An image (H, W, 3) in [0, 1], float32, by the anisotropic Kuwahara filter: (1, 3, H, W)."""
    angle, anisotropy = (torch.from_numpy(each)[None, None] for each in directions(image))
    reach = ceil(2 * radius)
    mirrored = cv2.copyMakeBorder(image, reach, reach, reach, reach, cv2.BORDER_REFLECT_101)
    around = torch.from_numpy(mirrored).permute(2, 0, 1)[None].contiguous()
    parts = [
        strip(around[..., top : top + ROWS + 2 * reach, :], each, how, radius)
        for top, each, how in zip(
            range(0, len(image), ROWS), angle.split(ROWS, 2), anisotropy.split(ROWS, 2), strict=True
        )
    ]
    return torch.cat(parts, 2)


def directions(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where an image (H, W, 3) varies least, as an angle, and how much less than across, from 0 to 1: (H, W).

    They are what the smoothed structure tensor's eigenvectors and eigenvalues say, summed over the colours.
    """
    across, down = (cv2.filter2D(image, -1, each) for each in (DERIVATIVE, DERIVATIVE.T))
    products = [(first * second).sum(2) for first, second in ((across, across), (across, down), (down, down))]
    side = 2 * ceil(3 * SMOOTH) + 1
    xx, xy, yy = (cv2.GaussianBlur(each, (side, side), SMOOTH) for each in products)
    apart = np.sqrt((xx - yy) ** 2 + 4 * xy**2)
    return np.arctan2(2 * xy, xx - yy) / 2 + np.float32(pi / 2), apart / (xx + yy + np.float32(1e-7))


def strip(around: Tensor, angle: Tensor, anisotropy: Tensor, radius: float) -> Tensor:
    """Some rows (1, 3, h, W) of the result.

    Args:
        around: those rows of the image with their surroundings, (1, 3, h + 2*reach, W + 2*reach).
        angle: where the rows vary least, (1, 1, h, W).
        anisotropy: how clearly they do, from 0 to 1.
    """
    height, width = angle.shape[-2:]
    reach = (around.shape[-1] - width) // 2
    cosine, sine = angle.cos(), angle.sin()
    longer = 1 + anisotropy  # by what the ellipse is longer than the radius, and narrower
    along_x, along_y = cosine / (radius * longer), sine / (radius * longer)
    across_x, across_y = -sine * longer / radius, cosine * longer / radius
    turns = [2 * pi * number / SECTORS for number in range(SECTORS)]
    turn_x = around.new_tensor([cos(turn) for turn in turns]).view(-1, 1, 1, 1)
    turn_y = around.new_tensor([sin(turn) for turn in turns]).view(-1, 1, 1, 1)
    begins = 2 / radius  # each sector reaches a little beyond the middle, so that all of them see the pixel itself
    bends = (begins + cos(pi / SECTORS)) / sin(pi / SECTORS) ** 2
    sums, weights = around.new_zeros(SECTORS, 3, height, width), around.new_zeros(SECTORS, 1, height, width)
    squares, squared = torch.zeros_like(weights), around.square().sum(1, keepdim=True)
    for y in range(-reach, reach + 1):
        for x in range(-reach, reach + 1):
            if x * x + y * y > reach * reach:
                continue
            along, across = along_x * x + along_y * y, across_x * x + across_y * y
            distance = along.square() + across.square()
            inside = torch.exp(-3.125 * distance) * (distance <= 1)
            away, beside = turn_x * along + turn_y * across, turn_x * across - turn_y * along
            weight = (away + begins).addcmul_(beside, beside, value=-bends).clamp_(min=0).square_()
            weight *= inside / (weight.sum(0, keepdim=True) + 1e-9)
            rows, columns = slice(reach + y, reach + y + height), slice(reach + x, reach + x + width)
            sums.addcmul_(weight, around[..., rows, columns])
            squares.addcmul_(weight, squared[..., rows, columns])
            weights += weight
    means = sums / (weights + 1e-9)
    variance = (squares / (weights + 1e-9) - means.square().sum(1, keepdim=True)).clamp(min=0)
    share = (1 / (1 + (255 * variance.sqrt()) ** SHARPNESS)).clamp(min=1e-30)
    return (means * share / share.sum(0, keepdim=True)).sum(0, keepdim=True)
