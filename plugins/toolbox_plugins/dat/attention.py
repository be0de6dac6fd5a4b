"""DAT's two attentions, each beside a convolution that it is weighed with, and its gated network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

APART = -100.0
"""What is added to the scores of positions that a shift has brought together."""


class Interacting(nn.Module):
    """An attention and a depthwise convolution of its values, which weigh each other: one by channel, one by place.

    The adaptive interaction module (section 3.2 of the paper). Features are (B, H, W, width).
    """

    def __init__(self, width: int, bias: bool) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=bias), nn.Linear(width, width)
        self.dwconv = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width), nn.BatchNorm2d(width), nn.GELU()
        )
        self.channel_interaction = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, width // 8, 1),
            nn.BatchNorm2d(width // 8),
            nn.GELU(),
            nn.Conv2d(width // 8, width, 1),
        )
        self.spatial_interaction = nn.Sequential(
            nn.Conv2d(width, width // 16, 1), nn.BatchNorm2d(width // 16), nn.GELU(), nn.Conv2d(width // 16, 1, 1)
        )

    def combined(self, places: Tensor, channels: Tensor) -> Tensor:
        """Two features (B, width, H, W), each weighed by the other and added, to (B, H, W, width).

        `places` says where the other counts; `channels` says which channels of the other count.
        """
        by_channel = places * torch.sigmoid(self.channel_interaction(channels))
        by_place = channels * torch.sigmoid(self.spatial_interaction(places))
        return self.proj((by_channel + by_place).movedim(1, -1))


class WindowAttention(Interacting):
    """Attention within windows, of half of the channels in wide ones and of the other half in tall ones."""

    def __init__(self, width: int, heads: int, bias: bool, window: Sequence[int], shifted: bool) -> None:
        super().__init__(width, bias)
        self.longest = max(window)
        self.attns = nn.ModuleList(
            Windows(width // 2, heads // 2, sides, shifted) for sides in (tuple(window), tuple(window)[::-1])
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, H, W, width) to the same."""
        height, width = features.shape[1:3]
        qkv = self.qkv(features)  # (B, H, W, 3 * width)
        values = qkv[..., 2 * features.shape[-1] :].movedim(-1, 1)
        below, right = ((side + self.longest - 1) // self.longest * self.longest - side for side in (height, width))
        parts = F.pad(qkv, (0, 0, 0, right, 0, below)).unflatten(-1, (3, 2, -1))  # (B, H', W', 3, 2, width / 2)
        found = [windows(parts[..., half, :]) for half, windows in enumerate(self.attns)]
        attended = torch.cat(found, -1)[:, :height, :width].movedim(-1, 1)  # (B, width, H, W)
        return self.combined(attended, self.dwconv(values))


class Windows(nn.Module):
    """Attention within windows of one shape, with a bias that a small network makes of how far apart two pixels are."""

    def __init__(self, width: int, heads: int, sides: tuple[int, ...], shifted: bool) -> None:
        super().__init__()
        self.heads, self.sides = heads, sides
        self.shift = tuple(side // 2 for side in sides) if shifted else None
        self.pos = PositionBias(width // 4, heads)
        self.register_buffer("rpe_biases", distances(sides))  # in the state, or a file's window would not be known
        self.register_buffer("between", index(sides), persistent=False)

    def forward(self, qkv: Tensor) -> Tensor:
        """Queries, keys and values (B, H, W, 3, width), H and W multiples of the sides, to (B, H, W, width)."""
        if self.shift:
            qkv = qkv.roll((-self.shift[0], -self.shift[1]), (1, 2))
        batch, height, width = qkv.shape[:3]
        rows, columns = height // self.sides[0], width // self.sides[1]
        cut = qkv.reshape(batch, rows, self.sides[0], columns, self.sides[1], 3, self.heads, -1)
        queries, keys, values = cut.permute(5, 0, 1, 3, 6, 2, 4, 7).flatten(5, 6).unbind(0)  # (B, r, c, heads, N, d)
        scores = queries * queries.shape[-1] ** -0.5 @ keys.mT + self.bias()  # (B, r, c, heads, N, N)
        if self.shift:
            scores = scores + apart(height, width, self.sides, self.shift, scores)[:, :, None]
        found = (scores.softmax(-1) @ values).unflatten(-2, self.sides)  # (B, r, c, heads, h, w, d)
        merged = found.permute(0, 1, 4, 2, 5, 3, 6).reshape(batch, height, width, -1)
        return merged.roll(self.shift, (1, 2)) if self.shift else merged

    def bias(self) -> Tensor:
        """What is added to scores, (heads, N, N)."""
        return self.pos(self.get_buffer("rpe_biases"))[self.get_buffer("between")].movedim(-1, 0)


def apart(height: int, width: int, sides: Sequence[int], shift: Sequence[int], like: Tensor) -> Tensor:
    """What is added to scores after a shift, (rows, columns, N, N): 0 between pixels that were neighbours before it."""

    def regions(length: int, side: int, moved: int) -> Tensor:
        """Which stretch each pixel along a side is of: the whole, the last window, what came from the other end."""
        at = torch.arange(length, device=like.device)
        return ((at >= length - side).long() + (at >= length - moved).long()).reshape(-1, side)

    down, across = regions(height, sides[0], shift[0]), regions(width, sides[1], shift[1])  # (r, h), (c, w)
    region = (3 * down[:, None, :, None] + across[None, :, None, :]).flatten(2)  # (r, c, N)
    return (region[..., None] != region[..., None, :]).to(like.dtype) * APART


class PositionBias(nn.Module):
    """Distances between pixels (n, 2) to a bias for each head (n, heads), by four small layers."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        inner = width // 4
        self.pos_proj = nn.Linear(2, inner)
        self.pos1, self.pos2, self.pos3 = layer(inner, inner), layer(inner, inner), layer(inner, heads)

    def forward(self, distances: Tensor) -> Tensor:
        """Distances (n, 2), in pixels, to biases (n, heads)."""
        return self.pos3(self.pos2(self.pos1(self.pos_proj(distances))))


def layer(inner: int, out: int) -> nn.Sequential:
    """Norm, ReLU and a linear layer."""
    return nn.Sequential(nn.LayerNorm(inner), nn.ReLU(), nn.Linear(inner, out))


def distances(sides: Sequence[int]) -> Tensor:
    """All distances within a window, down and across: ((2h - 1)(2w - 1), 2)."""
    down, across = (torch.arange(1 - side, side, dtype=torch.float32) for side in sides)
    return torch.cartesian_prod(down, across)


def index(sides: Sequence[int]) -> Tensor:
    """Which of `distances` lies between each two pixels of a window, (N, N)."""
    at = torch.cartesian_prod(*(torch.arange(side) for side in sides))  # (N, 2)
    between = at[:, None] - at[None] + torch.tensor([side - 1 for side in sides])
    return between[..., 0] * (2 * sides[1] - 1) + between[..., 1]


class ChannelAttention(Interacting):
    """Attention between channels, over all places: queries and keys of length 1, and a temperature for each head."""

    def __init__(self, width: int, heads: int, bias: bool) -> None:
        super().__init__(width, bias)
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, H, W, width) to the same."""
        height, width = features.shape[1:3]
        qkv = self.qkv(features).flatten(1, 2).mT  # (B, 3 * width, H * W)
        queries, keys, values = qkv.unflatten(1, (3, self.heads, -1)).unbind(1)  # (B, heads, width / heads, H * W)
        scores = F.normalize(queries, dim=-1) @ F.normalize(keys, dim=-1).mT * self.temperature
        attended = (scores.softmax(-1) @ values).flatten(1, 2).unflatten(-1, (height, width))  # (B, width, H, W)
        return self.combined(self.dwconv(values.flatten(1, 2).unflatten(-1, (height, width))), attended)


class GatedForward(nn.Module):
    """Two linear layers, and between them one half of the channels times a depthwise convolution of the other."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner // 2, width)
        self.sg = SpatialGate(inner // 2)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, H, W, width) to the same."""
        return self.fc2(self.sg(F.gelu(self.fc1(features))))


class SpatialGate(nn.Module):
    """Half of the channels, weighed by a depthwise convolution of the others (B, H, W, 2 * width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, H, W, 2 * width) to (B, H, W, width)."""
        passed, gate = features.chunk(2, -1)
        return passed * self.conv(self.norm(gate).movedim(-1, 1)).movedim(1, -1)
