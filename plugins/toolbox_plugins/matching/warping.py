"""Images moved by a flow: each pixel is fetched from where it was."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate


def warp(images: Tensor, flow: Tensor, *, mode: str = "bilinear", padding: str = "border") -> Tensor:
    """Images (B, C, H, W) as seen through a flow (B, 2, H, W): result(x) = image(x + flow(x)).

    Args:
        flow: columns, then rows, in pixels.
        mode: `bilinear`, or `bicubic`, which keeps fine patterns and may overshoot.
        padding: what lies outside: `border`, `zeros` or `reflection`.
    """
    # in float32 whatever the images are in: bfloat16 knows places to two pixels of 240
    made = grid_sample(images.float(), places(flow), mode=mode, padding_mode=padding, align_corners=False)
    return made.to(images.dtype)


def places(flow: Tensor) -> Tensor:
    """Where a flow (B, 2, H, W) fetches from, (B, H, W, 2), as `grid_sample` counts: -1 and 1 are the outer edges."""
    height, width = flow.shape[-2:]
    columns = torch.arange(width, device=flow.device, dtype=torch.float32)
    rows = torch.arange(height, device=flow.device, dtype=torch.float32)
    x = (flow[:, 0].float() + columns + 0.5) * (2 / width) - 1
    y = (flow[:, 1].float() + rows[:, None] + 0.5) * (2 / height) - 1
    return torch.stack([x, y], -1)


def inside(flow: Tensor) -> Tensor:
    """Where a flow (B, 2, H, W) fetches from within the image: (B, 1, H, W), 1 or 0."""
    height, width = flow.shape[-2:]
    x, y = places(flow).abs().unbind(-1)
    return ((x <= 1 - 0.999 / width) & (y <= 1 - 0.999 / height))[:, None].float()


def enlarged(flow: Tensor, scale: int) -> Tensor:
    """A flow (B, 2, H, W) for images that are `scale` times larger."""
    if scale == 1:
        return flow
    return scale * interpolate(flow, scale_factor=float(scale), mode="bilinear", align_corners=False)
