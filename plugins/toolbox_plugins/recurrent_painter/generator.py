"""The painter with a memory: each frame is painted in view of the frame before, as it was painted, and its features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pixel_unshuffle

from toolbox import Memory, RecurrentGenerator
from toolbox_plugins.matching.block_matching import agreement, block_flow
from toolbox_plugins.matching.warping import enlarged, inside, warp
from toolbox_plugins.painter.generator import StyleSPAN
from toolbox_plugins.painter.norm import Statistics
from toolbox_plugins.painter.strokes import Noise

MEMORY = ("look", "recall", "stay")
"""The modules that a painter of pictures does not have."""
KEPT = 1.0
"""The first bias of the share of the old picture that stays: sigmoid(1) is 0.73."""


class RecurrentStyleSPAN(RecurrentGenerator, StyleSPAN):
    """Clips (B, T, 3, H, W) in [0, 1] to (B, T, 3, scale*H, scale*W): enlarged at strength 0, painted at strength 1.

    `StyleSPAN`, conditioned on the frame before, as Gupta et al. (2017) stabilise style and FRVSR (Sajjadi et al.,
    2018) super-resolution: what was painted and the features it was painted from are moved to where they belong now,
    and enter behind the first convolution; then a share of the old picture stays, pixel by pixel, which the network
    chooses from both and which is 0 where the frames do not agree. Motion is found by comparing blocks of the small
    frames (`block_flow`), so nothing is asked of any flow network or library.

    It begins with the weights of a `StyleSPAN` (`load_from: {generator: FILE}`): what is
    remembered starts at zero, and the share that stays at three quarters.

    Args:
        styles, width, blocks, tap, scale, upscaler_width, trains, norm, strokes, antialias,
            chroma_subsampling, grain: as of `StyleSPAN`.
        reach: levels of the pyramid on which motion is looked for: steps up to about 3 * (2^reach - 1) small pixels.
    """

    def __init__(
        self,
        *,
        styles: Sequence[str],
        width: int = 64,
        blocks: int = 4,
        tap: int = 2,
        scale: int = 4,
        upscaler_width: int = 52,
        trains: str = "all",
        norm: str = "instance",
        strokes: int = 0,
        antialias: bool = False,
        chroma_subsampling: bool = False,
        grain: bool = False,
        reach: int = 3,
    ) -> None:
        super().__init__(
            styles=styles, width=width, blocks=blocks, tap=tap, scale=scale,
            upscaler_width=upscaler_width, trains=trains, norm=norm, strokes=strokes, antialias=antialias,
            chroma_subsampling=chroma_subsampling, grain=grain,
        )  # fmt: skip
        self.reach = reach
        for each in self.modules():
            if isinstance(each, Noise):
                each.moves = False  # between the frames of a clip
        self.look = nn.Conv2d(3 * scale**2 + width + 4, width, 3, padding=1, padding_mode="replicate")
        self.recall = nn.Conv2d(width, width, 3, padding=1, padding_mode="replicate")
        self.stay = nn.Conv2d(width, 1, 3, padding=1, padding_mode="replicate")
        with torch.no_grad():
            for convolution, value in ((self.recall, 0.0), (self.stay, KEPT)):
                convolution.weight.zero_()
                nn.init.constant_(convolution.bias, value)  # pyright: ignore[reportArgumentType]

    def fitted(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Weights of a painter of pictures are this one's; its memory begins empty."""
        own = {name: each for name, each in self.state_dict().items() if name.partition(".")[0] in MEMORY}
        return {**own, **super().fitted(state)}

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, clips: Tensor, strength: Tensor | float | None = None, style: Tensor | None = None
    ) -> Tensor:
        """Clips (B, T, 3, H, W) in [0, 1] to (B, T, 3, scale*H, scale*W), nominally in [0, 1].

        Args:
            strength: (B,) in [0, 1], or one number of all; without it clips are painted. 0 enlarges each frame.
            style: (B, styles), shares that add up to 1; without it the first style.
        """
        return RecurrentGenerator.forward(self, clips, strength, style)

    def step(self, frame: Tensor, memory: Memory | None = None, *arguments: Any) -> tuple[Tensor, Memory]:
        """A frame (B, 3, H, W) in [0, 1], and strength and style as of `forward`, to (B, 3, scale*H, scale*W).

        The memory is the frame, the picture painted of it, and its features: (B, 3, H, W), (B, 3, scale*H, scale*W) and
        (B, width, H, W).
        """
        strength, style = (*arguments, None, None)[:2]
        if isinstance(strength, (int, float)) and strength == 0:
            return self.enlarge(frame), memory or ()
        painted, memory = self.paint_on(frame, memory, self.shares(frame, style))
        if strength is None:
            return painted, memory
        share = torch.as_tensor(strength, dtype=torch.float32, device=frame.device).reshape(-1, 1, 1, 1)
        return torch.lerp(self.enlarge(frame), painted, share), memory

    def paint_on(self, frame: Tensor, memory: Memory | None, shares: Tensor) -> tuple[Tensor, Memory]:
        """A frame at strength 1, with the memory of those before it."""
        statistics, strokes = Statistics(), self.strokes(frame)
        if not memory:
            features = self.sketch(frame, shares, statistics, strokes)
            painted = self.finish(features, shares, statistics, strokes).float()
            return painted, (frame, painted, features)
        before, picture, old = memory
        flow = block_flow(frame, before, levels=self.reach)
        trust = agreement(frame, before, flow) * inside(flow)  # (B, 1, H, W)
        fine = enlarged(flow, self.scale)
        moved = warp(picture, fine, mode="bicubic").clamp(0, 1)
        seen = [pixel_unshuffle(moved * 2 - 1, self.scale), warp(old.float(), flow), trust, frame.float() * 2 - 1]
        found = leaky_relu(self.look((torch.cat(seen, 1) * trust).to(frame)), 0.1)
        features = self.sketch(frame, shares, statistics, strokes, self.recall(found))
        painted = self.finish(features, shares, statistics, strokes).float()
        stays = torch.sigmoid(self.stay(found).float()) * trust
        stays = interpolate(stays, scale_factor=float(self.scale), mode="bilinear", align_corners=False)
        painted = torch.lerp(painted, moved, stays)
        return painted, (frame, painted, features)

    def example_inputs(self) -> tuple[Tensor, ...]:
        """Two clips of three frames: what `plugins check` calls it with."""
        return (torch.rand(2, 3, 3, 16, 24),)
