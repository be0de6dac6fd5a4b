"""An enlarger that looks at the frames on either side: a sliding window."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pixel_shuffle

from toolbox import UserError, WindowGenerator
from toolbox_plugins.basicvsr.generator import RANGE
from toolbox_plugins.matching.block_matching import agreement, block_flow
from toolbox_plugins.matching.warping import warp
from toolbox_plugins.span.generator import SPAN


class TemporalSPAN(WindowGenerator):
    """Windows (B, frames, C, H, W) in [0, 1] to their middle frame, (B, C, scale*H, scale*W), nominally in [0, 1].

    The sliding window of EDVR (Wang et al., CVPR Workshops 2019) on SPAN (Wan et al., 2024), as practitioners' TSPAN
    and TSCUNet have it: neighbours' features are aligned to the middle frame's, weighed by how much they resemble it,
    and fused. Alignment is by flow that is found by comparing blocks (`block_flow`) instead of deformable convolutions.

    SPAN's published weights are a beginning, `load_from: {generator.trunk: FILE}`: fusion ends in a convolution that
    starts at zero, so training starts at SPAN's own result of the middle frame.

    Args:
        frames: of a window, odd, 3 or more.
        width: channels of the trunk; published files have 48 and 52.
        reach: levels of the pyramid on which motion is looked for: steps up to about 3 * (2^reach - 1) pixels.

    Raises:
        UserError: an argument is out of range.
    """

    keeps_colors = True

    def __init__(self, *, frames: int = 5, width: int = 48, scale: int = 4, reach: int = 3) -> None:
        super().__init__()
        if frames < 3 or frames % 2 == 0:
            raise UserError(f"frames must be odd, 3 or more, got {frames}")
        if reach < 1:
            raise UserError(f"reach must be 1 or more levels, got {reach}")
        self.frames, self.scale, self.reach = frames, scale, reach
        self.trunk = SPAN(width=width, scale=scale)
        self.look = nn.Conv2d(frames * width + frames - 1, width, 3, padding=1)
        self.fuse = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.fuse.weight)
        nn.init.zeros_(self.fuse.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, windows: Tensor) -> Tensor:
        """Enlarge the middle of windows (B, frames, 3, H, W) in [0, 1]; the result may leave [0, 1]."""
        every = self.trunk.conv_1(self.trunk.as_learned(windows.flatten(0, 1))).unflatten(0, windows.shape[:2])
        half = self.frames // 2
        middle, first = windows[:, half], every[:, half]  # (B, 3, H, W) and (B, width, H, W)
        others = [place for place in range(self.frames) if place != half]
        beside = windows[:, others].flatten(0, 1)
        again = middle[:, None].expand(-1, len(others), -1, -1, -1).flatten(0, 1)
        flow = block_flow(again, beside, levels=self.reach)
        trust = agreement(again, beside, flow).to(every)
        moved = warp(every[:, others].flatten(0, 1), flow) * trust / RANGE
        count = windows.shape[0]
        found = [each.unflatten(0, (count, len(others))).flatten(1, 2) for each in (moved, trust)]
        seen = leaky_relu(self.look(torch.cat([first / RANGE, *found], 1)), 0.1)
        return pixel_shuffle(self.trunk.upsampler(self.trunk.fused(first + RANGE * self.fuse(seen))), self.scale)
