"""A network over images of any size: whole or in tiles, as memory allows, rounded to their type as they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from math import ceil, isnan, isqrt, lcm

import numpy as np
import torch
from torch import Tensor

from toolbox.assembly.reach import Reach, memory_per_pixel, reach
from toolbox.inference.channels import safe_side
from toolbox.inference.levels import FAR, put
from toolbox.inference.memory import free_memory
from toolbox.inference.options import PRECISIONS, SMALLEST, Options
from toolbox.inference.serving import Server
from toolbox.inference.tiling import halving, is_out_of_memory, tiled
from toolbox.inference.whole_picture import surveyed, wrapped
from toolbox.io.resize import mirrored_to
from toolbox.training.network_call import padded
from toolbox.training.precision import networks_in

Done = Callable[[float], None] | None


@dataclass(frozen=True)
class Batch:
    """What becomes of the images of some pictures.

    Args:
        count: pictures; images are as many, or twice, of colours and transparency in turn.
        gray: results are the mean of their channels.
        dtype: of the results' pixels.
        levels: the value of 1.0 in it.
    """

    count: int
    gray: bool
    dtype: np.dtype
    levels: float


class TiledNetwork:
    """Images (N, C, H, W) in [0, 1] through a network, to pixels (H', W', C') of each picture.

    Args:
        server: what computes a tile.
        channels: that the network takes.
        note: is told what a user should know.
    """

    def __init__(
        self, server: Server, channels: int, options: Options, device: torch.device, note: Callable[[str], None]
    ) -> None:
        self.server, self.network, self.options, self.device = server, server.network, options, device
        self.channels, self.note = channels, note
        self.scale, self.multiple = int(getattr(self.network, "scale", 1)), int(getattr(self.network, "multiple", 1))
        self.clip: bool = getattr(self.network, "clip", False)
        self.period = lcm(self.multiple, int(getattr(self.network, "period", 1)))
        self.tile = options.tile
        self.last_side = 0
        """The side of the tiles of the images before; 0 where they were computed whole."""
        self._largest, self._noted = 512 if device.type == "cpu" else 1024, False
        self._bytes: float | None = None

    def __call__(self, images: Tensor, batch: Batch, done: Done = None) -> list[np.ndarray]:
        """The results of a batch; parts are rounded to their type as they are made."""
        cut = self._may_tile(images) or self.options.tileable
        with self._surveying(images) if cut else nullcontext():
            return self._in_tiles(images, batch, done, cut)

    @contextmanager
    def _surveying(self, images: Tensor) -> Iterator[None]:
        with torch.inference_mode(), self._precision(), surveyed(self.network, images, self.device):
            yield

    def _in_tiles(self, images: Tensor, batch: Batch, done: Done, cut: bool) -> list[np.ndarray]:
        height, width = images.shape[-2:]
        each = len(images) // batch.count  # 1, or 2 with transparency
        known = self._reach(batch.count) if cut else None
        margin = ceil(known.halo / self.period) * self.period if known and self.options.tileable else 0
        images = padded(wrapped(images, margin), self.multiple)
        result: list[np.ndarray] = []

        def store(y: int, x: int, part: Tensor) -> None:
            part = part.float().cpu()
            most = float(part.amax())  # NaN where there is any
            if isnan(most):
                raise ValueError("the result holds NaN: half precision overflowed (try fp32), or the weights diverged")
            part = part.clamp(max=1) if most > FAR else part
            colours = part[::each].mean(1, keepdim=True) if batch.gray else part[::each]
            planes = torch.cat([colours, part[1::each].mean(1, keepdim=True)], 1) if each == 2 else colours
            if not result:
                shape = (batch.count, height * self.scale, width * self.scale, planes.shape[1])
                result.append(np.empty(shape, batch.dtype))
            y, x = y - margin * self.scale, x - margin * self.scale
            top, left = max(0, -y), max(0, -x)
            planes = planes[..., top:, left:]
            there = result[0][:, y + top : y + top + planes.shape[2], x + left : x + left + planes.shape[3]]
            put(planes[..., : there.shape[1], : there.shape[2]], there, batch.levels)

        def work(tile: int) -> None:
            try:
                compute(tile, images)
            except (RuntimeError, ValueError) as error:
                side = safe_side(self.multiple)
                if min(images.shape[-2:]) >= side or is_out_of_memory(error):
                    raise
                compute(0, mirrored_to(images, side))  # too small for the network: the result is cut back by `store`

        def compute(tile: int, images: Tensor) -> None:
            halo, feather = self._overlap(known or self._reach(batch.count)) if tile else (0, False)
            with torch.inference_mode(), self._precision():
                tiled(
                    partial(self._call, kinds=each), images, store,
                    tile=tile, halo=halo, scale=self.scale, multiple=self.period, feather=feather, done=done,
                )  # fmt: skip

        tile = self.last_side = self._side(images, known)
        self.server.expect(images.numel())
        if self.options.tile == 0:
            work(0)
        else:
            reduced = halving(work, tile, whole=max(images.shape[-2:]))
            if reduced != tile:
                self.tile = self.last_side = reduced
                self.note(f"memory ran out; going on in tiles of {reduced}")
        return list(result[0])

    def _call(self, images: Tensor, kinds: int = 1) -> Tensor:
        """The network's results. Of a clip, colours and transparency (two `kinds`, in turn) are a clip each."""
        images = images.to(self.device, memory_format=torch.channels_last)
        if not self.clip or kinds == 1:
            return self.server(images)
        return torch.stack([self.server(images[kind::kinds]) for kind in range(kinds)], 1).flatten(0, 1)

    def _precision(self) -> AbstractContextManager[object]:
        name = PRECISIONS[self.options.precision]
        dtype = getattr(torch, name) if name else None
        return networks_in(dtype) if dtype else nullcontext()

    # ------------------------------------------------------------------ tiles

    def _reach(self, count: int) -> Reach:
        """The network's reach; where it takes clips, in one of `count` frames, as memory carries it on."""
        frames = count if self.clip else 1
        with self._surveying(torch.full((frames, self.channels, self.multiple, self.multiple), 0.5)):
            return reach(self.network, channels=self.channels, scale=self.scale, multiple=self.multiple, frames=frames)

    def _may_tile(self, images: Tensor) -> bool:
        """Whether the reach is worth measuring: an image that is small for its tiles is computed whole."""
        if self.options.tile == 0:
            return False
        side = self.tile or self._largest
        needed = len(images) * self._memory() * images[0, 0].numel()
        return max(images.shape[-2:]) > side or needed > self._budget(images)

    def _memory(self) -> float:
        """Bytes for each input pixel."""
        if self._bytes is None:
            side = ceil(48 / self.multiple) * self.multiple
            sample = torch.zeros(1, self.channels, side, side)
            with torch.inference_mode(), self._precision():
                self._bytes = memory_per_pixel(self.network, self.network, sample.to(self.device))
        return self._bytes

    def _budget(self, images: Tensor) -> float:
        """Bytes for the tile that is being computed: half of what the result leaves free."""
        result = 0 if self.device.type == "cuda" else images.numel() * self.scale**2 * 2
        return max(0.0, (free_memory(self.device) - result) / 2)

    def _side(self, images: Tensor, known: Reach | None) -> int:
        """The tile's side for these images; 0 for the whole at once."""
        if self.tile is not None or known is None:
            side = self.tile or 0
            return 0 if side and max(images.shape[-2:]) <= side else side and max(side, 4 * self.multiple)
        pixels = self._budget(images) / (self._memory() * len(images))
        if not known.local and images[0, 0].numel() <= pixels:
            return 0
        halo, _ = self._overlap(known)
        side = min(self._largest, isqrt(int(pixels)) - 2 * halo) // self.multiple * self.multiple
        side = max(side, SMALLEST, 4 * self.multiple)
        return 0 if max(images.shape[-2:]) <= side else side

    def _overlap(self, known: Reach) -> tuple[int, bool]:
        """The halo, and whether tiles are blended because they do not equal the whole."""
        halo = known.halo if self.options.overlap is None else self.options.overlap
        exact = known.local and halo >= known.halo
        if not known.local and not self._noted:
            self._noted = True
            self.note(
                "the network looks at the whole image (instance norm, attention): its tiles are blended, and differ "
                "from the whole; --tile 0 computes it whole"
            )
        return halo, not exact
