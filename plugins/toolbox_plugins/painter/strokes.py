"""Noise for a network to make strokes of, drawn out along what a picture shows, and grain for a canvas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import cos, pi, sin, tau

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, pad, relu

ANGLES = 8
"""Directions that noise is drawn out in beforehand; those between are mixed."""
WINDOWS = (5, 15, 45)
"""Sides of the squares, in pixels, over which directions are averaged, twice each."""
FURTHER = 0.1
"""What a wider window counts beside the one before: plain areas take the direction of what is around them."""
LEAST = 1e-6
"""What a plain picture's direction counts beside what it shows, in squared slopes."""


class Noise(nn.Module):
    """Planes (P, period, period) of noise that repeat without a seam, always the same ones.

    In training they begin anywhere, while they `move`; a film's stay where they are between its frames.
    """

    planes: Tensor

    def __init__(self, planes: Tensor) -> None:
        super().__init__()
        self.period, self.moves, self.begun = planes.shape[-1], True, (0, 0)
        self.register_buffer("planes", planes, persistent=False)

    def tiled(self, size: Sequence[int]) -> Tensor:
        """The planes (P, *size), repeated."""
        top, left = self.begins()
        noise = self.planes.roll((-top, -left), (1, 2)) if top or left else self.planes
        times = [(length + self.period - 1) // self.period for length in size]
        return noise.repeat(1, *times)[:, : size[0], : size[1]]

    def begins(self) -> tuple[int, int]:
        """Where the noise begins: in training anywhere, or where it began before, while it `moves` not."""
        if not self.training:
            return 0, 0
        if self.moves:
            top, left = (int(torch.randint(self.period, ())) for _ in range(2))  # on the CPU, as all random places
            self.begun = top, left
        return self.begun


class Grain(Noise):
    """Noise (1, 1, H, W) at the output's size, as wide as two or three pixels: a canvas, and the hairs of a brush.

    Features at full size are made of what lies under them at low resolution, so what is finer than a small pixel and
    not in the photograph a network without noise makes of repeated patterns. Its mean is 0 and its variance 1.

    Args:
        period: pixels after which the noise repeats.
        seed: of the noise.
    """

    def __init__(self, *, period: int, seed: int = 7) -> None:
        noise = torch.randn(1, period, period, generator=torch.Generator().manual_seed(seed))
        for axis in (1, 2):
            noise = (noise.roll(1, axis) + 2 * noise + noise.roll(-1, axis)) / 4
        noise = noise - noise.mean()
        super().__init__(noise / noise.std())

    def forward(self, size: Sequence[int]) -> Tensor:
        """The noise of pictures of that height and width, float32."""
        return self.tiled(size)[None]


class StrokeField(Noise):
    """Noise (B, planes, H, W) drawn out along directions: lines that bend around what a picture shows.

    A convolution gives the same everywhere on a plain ground, so a network without noise cannot paint strokes on a sky,
    and noise without a direction is no stroke. Line integral convolution (Cabral and Leedom, 1993) has this look; here
    noise is drawn out in 8 directions beforehand, and those are mixed pixel by pixel. Its mean is 0 and its variance
    nearly 2 in every direction. It is the same for every picture and repeats every `period` pixels.

    Args:
        planes: how many, independent of each other.
        period: pixels after which the noise repeats.
        along, across: deviations of the Gaussian that noise is smoothed by, in pixels.
        seed: of the noise.
    """

    axes: Tensor

    def __init__(self, planes: int, *, period: int, along: float, across: float = 0.7, seed: int = 0) -> None:
        noise = drawn_out(planes, period, along, across, seed)
        super().__init__(noise.flatten(0, 1))  # of three axes: channels stay first
        angles = [tau * number / ANGLES for number in range(ANGLES)]  # doubled
        axes = torch.tensor([[turn(angle) for angle in angles] for turn in (cos, sin)])
        self.register_buffer("axes", axes[:, :, None, None], persistent=False)  # (2, ANGLES, 1, 1)

    def forward(self, directions: Tensor, size: Sequence[int]) -> Tensor:
        """Directions (B, 2, h, w), as `directions_of` gives them, to noise (B, planes, *size), float32."""
        if tuple(directions.shape[-2:]) != tuple(size):
            directions = interpolate(directions, size=tuple(size), mode="bilinear", align_corners=False)
        near = relu(directions[:, :1] * self.axes[0] + directions[:, 1:] * self.axes[1])  # in float32 under `--amp` too
        shares = near * near * near  # (B, ANGLES, H, W)
        shares = shares * shares.square().sum(1, keepdim=True).clamp(min=1e-6).rsqrt()
        return torch.stack([(shares * plane).sum(1) for plane in self.tiled(size).split(ANGLES)], 1)


@contextmanager
def resting(network: nn.Module) -> Iterator[None]:
    """Within, the noise of a network stays where it was in the forward pass before."""
    fields = [each for each in network.modules() if isinstance(each, Noise) and each.moves]
    for each in fields:
        each.moves = False
    try:
        yield
    finally:
        for each in fields:
            each.moves = True


def drawn_out(planes: int, period: int, along: float, across: float, seed: int) -> Tensor:
    """Noise (planes, ANGLES, period, period), each plane's drawn out in every direction; it repeats without a seam."""
    noise = torch.fft.fft2(torch.randn(planes, period, period, generator=torch.Generator().manual_seed(seed)))
    frequency = torch.fft.fftfreq(period) * tau
    down, right = torch.meshgrid(frequency, frequency, indexing="ij")
    made = []
    for number in range(ANGLES):
        angle = pi * number / ANGLES
        with_it, beside = right * cos(angle) + down * sin(angle), down * cos(angle) - right * sin(angle)
        kept = torch.exp(-0.5 * (with_it * along).square() - 0.5 * (beside * across).square())
        kept[0, 0] = 0  # the mean
        lines = torch.fft.ifft2(noise * kept).real
        made.append(lines / lines.std((1, 2), keepdim=True))
    return torch.stack(made, 1)


@torch.no_grad()
def directions_of(images: Tensor) -> Tensor:
    """Where small images (B, 3, H, W) vary least, as unit vectors of twice the angle: (B, 2, H, W), float32.

    The structure tensor, averaged over squares of three sizes; the narrower say more.
    """
    gray = pad(images.float().mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    across = gray[..., 1:-1, 2:] - gray[..., 1:-1, :-2]
    down = gray[..., 2:, 1:-1] - gray[..., :-2, 1:-1]
    steepest = torch.cat([across.square() - down.square(), 2 * across * down], 1) / 4
    found = torch.full_like(steepest, LEAST)
    for number, window in enumerate(WINDOWS):
        found = found - averaged(averaged(steepest, window), window) * FURTHER**number
    return found * (found.square().sum(1, keepdim=True) + 1e-18).rsqrt()


def averaged(planes: Tensor, window: int) -> Tensor:
    """Planes (B, C, H, W), each pixel the mean of a square around it; borders are continued.

    Of long lines a convolution is three times as fast as `avg_pool2d` on a CPU.
    """
    side, count = window // 2, planes.shape[1]
    share = planes.new_full((count, 1, 1, window), 1 / window)
    with torch.autocast(planes.device.type, enabled=False):
        rows = conv2d(pad(planes, (side, side, 0, 0), mode="replicate"), share, groups=count)
        return conv2d(pad(rows, (0, 0, side, side), mode="replicate"), share.mT, groups=count)
