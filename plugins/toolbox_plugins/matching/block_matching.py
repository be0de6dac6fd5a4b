"""Optical flow by comparing blocks, from coarse to fine: without weights, on any device, in plain tensor operations."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from toolbox import constant

from .warping import warp

SHARPNESS = 0.02
"""By which part of what the best block is better than the mean of all a worse one counts e times less."""
FLAT = 5e-4
"""The difference of two blocks, in [0, 1], that says nothing: where all differ by less, nothing moved."""
STILL = 2e-5
"""What a displacement costs for each squared pixel."""


@torch.no_grad()
def block_flow(frame: Tensor, before: Tensor, *, levels: int = 3, radius: int = 3, block: int = 7) -> Tensor:
    """The flow (B, 2, H, W), in pixels, that fetches each pixel of `frame` from the frame before it; no gradient.

    Both are (B, C, H, W) in [0, 1]. On the coarsest level of a pyramid, and again on each finer one around what was
    found there, all displacements of up to `radius` pixels are tried: blocks of `block` pixels are compared, and the
    displacements weighed by how well they fit (the soft argmin of Kendall et al., 2017, on the cost volume of Sun et
    al., 2018, with colours for features). So steps up to about `radius` * (2^levels - 1) pixels are found, fractions
    of a pixel too.
    """
    with torch.autocast(frame.device.type, enabled=False):
        frame, before = frame.float(), before.float()
        smallest = min(frame.shape[-2:])
        while levels > 1 and smallest >> (levels - 1) < block:
            levels -= 1
        pyramid = [(frame, before)]
        for _ in range(levels - 1):
            pyramid.append((halved(pyramid[-1][0]), halved(pyramid[-1][1])))
        flow = frame.new_zeros(len(frame), 2, *pyramid[-1][0].shape[-2:])
        for here, there in reversed(pyramid):
            if flow.shape[-2:] != here.shape[-2:]:
                flow = 2 * interpolate(flow, here.shape[-2:], mode="bilinear", align_corners=False)
            flow = flow + displacement(here, warp(there, flow), radius, block)
        return flow


def displacement(frame: Tensor, before: Tensor, radius: int, block: int) -> Tensor:
    """The displacement (B, 2, H, W) of up to `radius` whole pixels, and fractions between, that fits best."""
    height, width = frame.shape[-2:]
    around = pad(before, (radius,) * 4, mode="replicate")
    offsets = [(y, x) for y in range(-radius, radius + 1) for x in range(-radius, radius + 1)]
    costs = torch.stack(
        [
            (frame - around[..., radius + y : radius + y + height, radius + x : radius + x + width]).abs().mean(1)
            + STILL * (x * x + y * y)
            for y, x in offsets
        ],
        1,
    )  # (B, (2 radius + 1)^2, H, W)
    costs = blurred(costs, block)
    least, mean = costs.amin(1, keepdim=True), costs.mean(1, keepdim=True)
    shares = torch.softmax((least - costs) / (SHARPNESS * (mean - least) + FLAT), 1)
    moves = constant(tuple((float(x), float(y)) for y, x in offsets), frame)
    return blurred(torch.einsum("bnhw,nc->bchw", shares, moves), 5)


def blurred(images: Tensor, side: int) -> Tensor:
    """The mean of images (B, C, H, W) over squares of an odd side, of what of them lies within."""
    return avg_pool2d(images, side, stride=1, padding=side // 2, count_include_pad=False)


def halved(images: Tensor) -> Tensor:
    """Images (B, C, H, W) of half the size, rounded up."""
    height, width = images.shape[-2:]
    return avg_pool2d(pad(images, (0, width % 2, 0, height % 2), mode="replicate"), 2)


@torch.no_grad()
def agreement(frame: Tensor, before: Tensor, flow: Tensor, *, tolerance: float = 0.04) -> Tensor:
    """How well a flow explains a frame by the one before it: (B, 1, H, W) from 0 to 1; no gradient.

    exp(-(d / tolerance)^2) of the difference d of the colours, averaged over 3x3 pixels.
    """
    off = (frame.float() - warp(before.float(), flow)).abs().mean(1, keepdim=True)
    return torch.exp(-((blurred(off, 3) / tolerance) ** 2))
