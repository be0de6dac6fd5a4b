"""A patch discriminator that sees how much images of one side differ from each other, with a memory of earlier ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from toolbox import Discriminator, UserError
from toolbox_plugins.cyclegan.discriminator import PatchDiscriminator

SIDES = ("real", "fake")
EPSILON = 1e-6
"""Added to variances."""


class BatchHeadDiscriminator(Discriminator):
    """Images (B, C, H, W) in [0, 1] to `[logits]`, one tensor (B, 1, h, w): a verdict on each overlapping patch.

    Torbunov et al. 2023: a `PatchDiscriminator` without its last layer; the deviation of its features over
    the batch, a mean over channels and places as one more channel (Karras et al., 2018); two 3x3 convolutions. So fakes
    that are all alike give themselves away. Where the batch is small, features of earlier images of the same side, real
    or fake, stand beside it: `memory` of them, 3 by default, without gradient. They are taken in the discriminator's
    own step, after it was judged.

    Without a side, as penalties and monitors call it, each image stands alone beside what is remembered of both sides:
    then its logits, and their slope, depend on no other image of the batch. (The authors, with batches of one, mix
    both memories as their penalty mixes real and fake.)

    On several ranks each has its own memory and compares its own images; checkpoints keep all of them. Images of
    another size begin the memory anew.

    Args:
        memory: how many features of each side are kept; 0 compares the batch alone.
    """

    knows_sides = True

    def __init__(
        self, *, in_channels: int = 3, width: int = 64, layers: int = 3, norm: str = "instance", memory: int = 3
    ) -> None:
        super().__init__()
        if memory < 0:
            raise UserError(f"memory must be 0 or more, got {memory}")
        patches = PatchDiscriminator(in_channels=in_channels, width=width, layers=layers, norm=norm)
        *body, last = patches.model.children()
        self.body = nn.Sequential(*body)
        channels: Any = last.in_channels
        self.head = nn.Sequential(
            nn.Conv2d(channels + 1, channels, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(channels, 1, 3, padding=1)
        )
        for conv in (self.head[0], self.head[2]):
            nn.init.normal_(conv.weight, 0.0, 0.02)  # pyright: ignore[reportArgumentType]
            nn.init.zeros_(conv.bias)  # pyright: ignore[reportArgumentType]
        self.memory = memory
        self.remembered: dict[str, Tensor] = {}

    def forward(self, images: Tensor, side: str | None = None) -> list[Tensor]:
        """Judge images (B, C, H, W) in [0, 1], all `real` or all `fake`, or each by itself: `[logits (B, 1, h, w)]`."""
        features = self.body(images * 2 - 1)  # (B, c, h, w)
        others = [self.recalled(each, features) for each in (SIDES if side is None else (side,))]
        if side is None:
            spread = deviation(*(each[:, None] for each in others), features[None])  # of each image by itself
        else:
            spread = deviation(*others, features)
            self.remember(side, features)
        spread = spread.expand(len(features), 1, *features.shape[2:])
        return [self.head(torch.cat([features, spread], 1))]

    def recalled(self, side: str, features: Tensor) -> Tensor:
        """What is remembered of a side, (n, c, h, w) for features of this shape; n is 0 where nothing fits."""
        kept = self.remembered.get(side)
        if kept is None or kept.shape[1:] != features.shape[1:]:
            return features[:0].detach()
        return kept.to(features)

    def remember(self, side: str, features: Tensor) -> None:
        """Keep the latest features of a side, in a step in which this learns and in no other."""
        learns = self.training and torch.is_grad_enabled() and any(each.requires_grad for each in self.parameters())
        if self.memory and learns:
            kept = torch.cat([self.recalled(side, features), features.detach()])
            self.remembered[side] = kept[-self.memory :].clone()

    def get_extra_state(self) -> dict[str, Any]:
        """What is remembered, for checkpoints."""
        return {side: kept.cpu() for side, kept in self.remembered.items()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore it.

        Raises:
            UserError: it is something else.
        """
        if not all(side in SIDES and isinstance(kept, Tensor) and kept.dim() == 4 for side, kept in state.items()):
            raise UserError("a discriminator's memory of features holds something else")
        self.remembered = dict(state)


def deviation(*features: Tensor) -> Tensor:
    """The deviation over all of several sets (n, ..., c, h, w), which may be broadcast, a mean over c, h and w.

    Sets (n, c, h, w) give one number, (1, 1, 1); sets (n, B, c, h, w) one for each of B, (B, 1, 1, 1).
    """
    shape = torch.broadcast_shapes(*(each.shape[1:] for each in features))
    every = torch.cat([each.expand(len(each), *shape) for each in features])
    return (every.var(0, correction=0) + EPSILON).sqrt().mean((-3, -2, -1), keepdim=True)
