"""What a frame shows of the one before it shall stay: a loss along what moved."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox import Loss, UserError

from .block_matching import agreement, block_flow
from .warping import inside, warp


class WarpingLoss(Loss):
    """Mean difference of each frame from the one before it, moved along with the reference; a scalar.

    Where the reference's frames do not agree along their flow (`block_flow`), at what was hidden and beyond the
    border, nothing is compared. The first term of Lai et al. 2018's temporal loss, without a flow network.

    Args:
        of: `prediction` compares its frames with each other: for painters, whose frames shall flow as the video does.
            `error` compares what they have too much or too little beside the reference: for enlargers, where an error
            that travels with its object is not seen, and one that boils is.
        squared: the square instead of the absolute difference.
        relative: over the mean difference of neighbouring pixels, so that paler pictures gain nothing by being pale.

    Raises:
        UserError: `of` is neither.
    """

    def __init__(self, *, of: str = "prediction", squared: bool = False, relative: bool = False) -> None:
        super().__init__()
        if of not in ("prediction", "error"):
            raise UserError(f"of must be prediction or error, got {of!r}")
        self.of, self.squared, self.relative = of, squared, relative

    @classmethod
    def example_inputs(cls) -> tuple[Tensor, Tensor]:
        """Two clips of three frames."""
        from toolbox.testing.clips import moving_clips

        return moving_clips(seed=1), moving_clips()

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare clips (B, T, C, H, W) in [0, 1] of two frames or more."""
        check_clips(self, prediction, target)
        shown = prediction.float() - target.float() if self.of == "error" else prediction.float()
        frames, before = (target.float()[:, part].flatten(0, 1) for part in (slice(1, None), slice(None, -1)))
        flow = block_flow(frames, before)
        counts = agreement(frames, before, flow) * inside(flow)  # (B (T - 1), 1, H, W)
        off = shown[:, 1:].flatten(0, 1) - warp(shown[:, :-1].flatten(0, 1), flow, mode="bicubic")
        measured = torch.square if self.squared else torch.abs
        loss = (measured(off) * counts).mean() / counts.mean().clamp(min=0.05)
        if not self.relative:
            return loss
        neighbours = [measured(shown.diff(dim=axis)).mean() for axis in (-2, -1)]
        return loss / torch.stack(neighbours).mean().clamp(min=1e-6)


def check_clips(loss: Loss, prediction: Tensor, target: Tensor) -> None:
    """Raise UserError unless both are clips of one shape and of two frames or more."""
    if prediction.shape != target.shape or prediction.dim() != 5 or prediction.shape[1] < 2:
        raise UserError(
            f"{type(loss).__name__} compares clips (B, T, C, H, W) of two frames or more, got "
            f"{tuple(prediction.shape)} and {tuple(target.shape)}"
        )
