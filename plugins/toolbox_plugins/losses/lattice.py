"""A loss of the pattern that sub-pixels draw: a grid as wide as a pixel of the small image, in smooth areas."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import avg_pool2d, pixel_unshuffle

from toolbox import Loss, UserError


class LatticeLoss(Loss):
    """How much the `period`² places within a cell differ from each other, each the mean over `window`² cells.

    What an enlarging network draws alike in every cell, a screen door or a checkerboard (Odena et al. 2016), stands
    out in these means; what belongs to the picture falls on all places alike and averages out. Their variance over
    the places, averaged over windows that overlap by half and over channels: a painting of its own has about 1e-4, of
    its edges.

    Args:
        period: pixels of a cell; the scale of the network.
        window: cells of a window's side; an image needs one.
    """

    def __init__(self, *, period: int = 4, window: int = 8) -> None:
        super().__init__()
        if period < 2 or window < 2:
            raise UserError(f"period and window must be at least 2, got {period} and {window}")
        self.period, self.window = period, window

    def forward(self, images: Tensor) -> Tensor:
        """Of images (B, C, H, W) in [0, 1], cut to whole cells; a float32 scalar, 0 for plain ones."""
        batch, channels, height, width = images.shape
        cut = images[..., : height // self.period * self.period, : width // self.period * self.period].float()
        places = pixel_unshuffle(cut, self.period)  # (B, C * period**2, h, w)
        window = min(self.window, *places.shape[-2:])
        means = avg_pool2d(places, window, max(1, window // 2))
        return means.reshape(batch, channels, self.period**2, -1).var(2, correction=0).mean()

    def extra_repr(self) -> str:
        """As in the config."""
        return f"period={self.period}, window={self.window}"
