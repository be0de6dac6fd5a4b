"""An enlarger of videos with a memory: features of the frame before, moved to where they belong now."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pixel_shuffle

from toolbox import Memory, RecurrentGenerator, UserError
from toolbox_plugins.matching.block_matching import agreement, block_flow
from toolbox_plugins.matching.warping import warp
from toolbox_plugins.span.generator import SPAN

RANGE = 255
"""Features of the trunk are of the range of bytes; the convolutions beside it, and their gradients, of that of 1."""


class ForwardVSR(RecurrentGenerator):
    """Clips (B, T, C, H, W) in [0, 1] to (B, T, C, scale*H, scale*W), frame by frame, each from those before it.

    BasicVSR (Chan et al., CVPR 2021) propagates features forwards and backwards in time, and aligns them by a
    downloaded flow network. Here they go forwards alone, so that a film of any length is made as it comes, and flow is
    found by comparing blocks (`block_flow`), without weights. Where a frame and its moved predecessor do not agree,
    what is remembered counts less.

    The trunk is SPAN (Wan et al., 2024): its published weights are a beginning, `load_from: {generator.trunk: FILE}`.
    What is remembered enters behind its first convolution, by a convolution that starts at zero: so training starts at
    the trunk's own result.

    Args:
        width: channels of the trunk; published files have 48 and 52.
        reach: levels of the pyramid on which motion is looked for: steps up to about 3 * (2^reach - 1) pixels.

    Raises:
        UserError: an argument is below 1.
    """

    keeps_colors = True

    def __init__(self, *, width: int = 48, scale: int = 4, reach: int = 3) -> None:
        super().__init__()
        if reach < 1:
            raise UserError(f"reach must be 1 or more levels, got {reach}")
        self.scale, self.reach = scale, reach
        self.trunk = SPAN(width=width, scale=scale)
        self.look = nn.Conv2d(2 * width + 1, width, 3, padding=1)
        self.recall = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.recall.weight)
        nn.init.zeros_(self.recall.bias)  # pyright: ignore[reportArgumentType]

    def step(self, frame: Tensor, memory: Memory | None = None, *arguments: Any) -> tuple[Tensor, Memory]:
        """A frame (B, 3, H, W) in [0, 1] to (B, 3, scale*H, scale*W), which may leave [0, 1].

        The memory is the frame and its features, (B, 3, H, W) and (B, width, H, W).
        """
        first = self.trunk.conv_1(self.trunk.as_learned(frame))  # (B, width, H, W)
        if memory is None:
            trust, moved = torch.ones_like(first[:, :1]), torch.zeros_like(first)
        else:
            before, features = memory
            flow = block_flow(frame, before, levels=self.reach)
            trust = agreement(frame, before, flow).to(first)
            moved = warp(features, flow) * trust
        seen = leaky_relu(self.look(torch.cat([first / RANGE, moved / RANGE, trust], 1)), 0.1)
        features = self.trunk.fused(first + RANGE * self.recall(seen))
        return pixel_shuffle(self.trunk.upsampler(features), self.scale), (frame, features)
