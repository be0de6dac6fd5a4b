"""The contract of a loss: some values in, one number out, nothing that trains."""

from __future__ import annotations

from torch import nn


class Loss(nn.Module):
    """Judges the values of a role: `forward(*values) -> scalar`, with a gradient to the first of them.

    An algorithm's `roles` say how many values and which: images (B, C, H, W) in [0, 1], or lists of activations.
    Nothing in it trains: what has trainable parameters is refused when the model is built, because a checkpoint holds
    no loss. `weight` stands beside `type` in the config and belongs to the role; a loss inside another
    (`losses: list[Loss]` in a constructor) is weighed by the one that holds it.

    Deriving from it is a convenience, as for networks: any module like it will do, except where a constructor asks
    for `Loss`.
    """
