"""CAP-VSTNet's reversible residual network (Wen et al. 2023): the same weights encode a picture, and paint its code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox import Encoder, UserError

Halves = tuple[Tensor, Tensor]


class RevResNet(Encoder):
    """Images (B, C, H, W) to codes (B, channels, h, w), and with `inverse` back, to what they were within rounding.

    Wen et al. 2023: channels in two halves; each block adds to one what three convolutions make of the other, and
    changes places with it. So it can be undone: the sum is known, and so is what was added. A first stage at full size,
    each next at half the size with four times the channels; then channel refinement: two blocks more, whose channels
    are spread out to places, so that the code has few, and of what a picture has none is stored away unseen. 4,089,936
    parameters by default. It computes in float32 always: in less, the way back leads elsewhere.

    H and W are multiples of twice the strides, 8 by default: reflection padding wants two pixels. The picture begins in
    the half that the first block looks at; the authors', in the other, has a first block that sees zeros.

    Args:
        width: channels of each half in the first stage; the picture's are completed by zeros.
        blocks: of each stage.
        code: channels of each half of the code: 16 as for photographs, 64 as for paintings.
        spread: how often the code is doubled in size: 2 as for photographs, 1 as for paintings.
        narrowing: how many times fewer channels the convolutions have inside.

    Raises:
        UserError: a number is out of range, or the code has fewer numbers than the picture's features.
    """

    supports_half = False

    def __init__(
        self,
        *,
        in_channels: int = 3,
        width: int = 16,
        blocks: Sequence[int] = (10, 10, 10),
        code: int = 16,
        spread: int = 2,
        narrowing: int = 4,
    ) -> None:
        super().__init__()
        if not blocks or min(blocks) < 1:
            raise UserError(f"blocks must be numbers of 1 or more, got {list(blocks)}")
        if not 1 <= in_channels <= width:
            raise UserError(f"in_channels must be from 1 to width, {width}, got {in_channels}")
        if narrowing < 1 or width < narrowing:
            raise UserError(f"narrowing must be from 1 to width, {width}, got {narrowing}")
        deepest = width * 4 ** (len(blocks) - 1)
        if not 0 <= spread < len(blocks):
            raise UserError(f"spread must be from 0 to {len(blocks) - 1}, the number of halvings, got {spread}")
        if code * 4**spread < deepest:
            raise UserError(f"code must be at least {-(-deepest // 4**spread)} with spread {spread}, got {code}")
        self.in_channels, self.padding = in_channels, 2 * width - in_channels
        self.more, self.factor = code * 4**spread - deepest, 2**spread
        self.channels, self.multiple = 2 * code, 2 ** len(blocks)
        self.stages = nn.ModuleList(
            ReversibleBlock(width * 4**stage, narrowing, halving=stage > 0 and number == 0)
            for stage, count in enumerate(blocks)
            for number in range(count)
        )
        self.refinement = nn.ModuleList(ReversibleBlock(code * 4**spread, narrowing, halving=False) for _ in range(2))

    def forward(self, images: Tensor, inverse: bool = False) -> Tensor:
        """Encode images (B, C, H, W) in [0, 1]; with `inverse` paint codes (B, channels, h, w)."""
        if inverse:
            return self.paint(images)
        halves = _split(F.pad(images, (0, 0, 0, 0, self.padding, 0)))  # (B, width, H, W) each
        for block in self.stages:
            halves = block(halves)
        halves = _both(halves, lambda half: F.pad(half, (0, 0, 0, 0, 0, self.more)))
        for block in self.refinement:
            halves = block(halves)
        return F.pixel_shuffle(torch.cat(halves, 1), self.factor)

    def paint(self, code: Tensor) -> Tensor:
        """The images (B, C, H, W) of codes (B, channels, h, w)."""
        halves = _split(F.pixel_unshuffle(code, self.factor))
        for block in reversed(self.refinement):
            halves = block(halves, inverse=True)
        halves = _both(halves, lambda half: half[:, : half.shape[1] - self.more])
        for block in reversed(self.stages):
            halves = block(halves, inverse=True)
        return torch.cat(halves, 1)[:, self.padding :]


class ReversibleBlock(nn.Module):
    """Two halves (a, b) to (b, a + f(b)), f being three 3x3 convolutions; both at half the size if `halving`.

    `channels` are those of each half that comes out. Biases begin at 0.
    """

    def __init__(self, channels: int, narrowing: int, *, halving: bool) -> None:
        super().__init__()
        self.halving = halving
        inner = max(channels // narrowing, 1)
        convs = [
            nn.Conv2d(channels // 4 if halving else channels, inner, 3, stride=2 if halving else 1),
            nn.Conv2d(inner, inner, 3),
            nn.Conv2d(inner, channels, 3),
        ]
        layers: list[nn.Module] = []
        for conv in convs:
            nn.init.zeros_(conv.bias)  # pyright: ignore[reportArgumentType]
            layers += [nn.ReflectionPad2d(1), conv, nn.ReLU()]
        self.change = nn.Sequential(*layers[:-1])

    def forward(self, halves: Halves, inverse: bool = False) -> Halves:
        """Forwards (B, c, H, W) to (B, channels, h, w) each, and back."""
        if inverse:
            kept, changed = halves
            seen = F.pixel_shuffle(kept, 2) if self.halving else kept
            first = changed - self.change(seen)
            return (F.pixel_shuffle(first, 2) if self.halving else first), seen
        first, seen = halves
        if self.halving:
            return F.pixel_unshuffle(seen, 2), F.pixel_unshuffle(first, 2) + self.change(seen)
        return seen, first + self.change(seen)


def _split(features: Tensor) -> Halves:
    first, second = features.chunk(2, 1)
    return first, second


def _both(halves: Halves, change: Callable[[Tensor], Tensor]) -> Halves:
    return change(halves[0]), change(halves[1])
