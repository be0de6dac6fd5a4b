"""The pixel-wise transformer in the middle of UVCGANv2's U-Net: every pixel is a token, and one more is the style."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PixelTransformer(nn.Module):
    """Features (B, channels, h, w) to features of the same shape, and a style (B, width).

    A token is the pixel's features beside a learned Fourier embedding of its place, sin(linear(x, y)) with x and y from
    -1 to 1 over the image, brought to `width` channels. Attention is over all pixels: memory and time grow with h * w
    and with its square.
    """

    def __init__(self, channels: int, *, width: int, heads: int, blocks: int, hidden: int, embedding: int) -> None:
        super().__init__()
        self.place = nn.Linear(2, embedding)
        self.enter = nn.Linear(channels + embedding, width)
        self.style = nn.Parameter(torch.randn(1, 1, width))
        self.blocks = nn.ModuleList(TransformerBlock(width, heads, hidden) for _ in range(blocks))
        self.leave = nn.Linear(width, channels)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Let every pixel see every other one, and the style all of them."""
        count, _, height, width = features.shape
        embedded = torch.sin(self.place(places(height, width, features)))  # (h * w, embedding)
        pixels = torch.cat([features.flatten(2).mT, embedded.expand(count, -1, -1)], 2)  # (B, h * w, ...)
        tokens = torch.cat([self.enter(pixels), self.style.expand(count, -1, -1)], 1)  # (B, h * w + 1, width)
        for block in self.blocks:
            tokens = block(tokens)
        return self.leave(tokens[:, :-1]).mT.unflatten(2, (height, width)), tokens[:, -1]


class TransformerBlock(nn.Module):
    """Norm and attention, norm and two layers, each added with one gain that begins at 0 (Bachlechner et al., 2021)."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.layers = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, n, width) to the same."""
        tokens = tokens + self.gain * self.attend(self.first(tokens))
        return tokens + self.gain * self.layers(self.second(tokens))

    def attend(self, tokens: Tensor) -> Tensor:
        """What each token (B, n, width) gathers from all of them."""
        queries, keys, values = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        return self.proj(F.scaled_dot_product_attention(queries, keys, values).transpose(1, 2).flatten(2))


def places(height: int, width: int, like: Tensor) -> Tensor:
    """Row and column of every pixel, from -1 to 1 over the image, (height * width, 2); of a single one -1."""
    rows, columns = (
        torch.arange(side, device=like.device, dtype=like.dtype) * (2 / torch.sym_max(side - 1, 1)) - 1
        for side in (height, width)
    )
    both = [rows[:, None].expand(height, width), columns[None].expand(height, width)]
    return torch.stack(both, -1).flatten(0, 1)
