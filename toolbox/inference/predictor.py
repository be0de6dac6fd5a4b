"""A trained network as a function of pictures: whatever their size, type, channels and transparency."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from math import ceil, isqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from toolbox.assembly.loading import TrainedOutput
from toolbox.assembly.reach import Reach, memory_per_pixel, reach
from toolbox.inference.channels import as_gray, channels_of, safe_side
from toolbox.inference.levels import LEVELS, outscaled, typed
from toolbox.inference.memory import free_memory
from toolbox.inference.options import PRECISIONS, SMALLEST, Options
from toolbox.inference.passage import Passage
from toolbox.inference.picture import Picture
from toolbox.inference.tiling import halving, is_out_of_memory, tiled
from toolbox.inference.whole_picture import surveyed, wrapped
from toolbox.io.errors import UserError
from toolbox.io.resize import mirrored_to, resize_to
from toolbox.training.finishing import channels_last
from toolbox.training.network_call import padded
from toolbox.training.precision import at_precision, networks_in


class Predictor:
    """Applies a network to pictures and arrays.

    Args:
        network: images (B, C, H, W) in [0, 1] to (B, C', scale*H, scale*W), with its `scale`, `multiple` and, where it
            says so, `keeps_colors`.
        device: where it computes.
        note: is told, in one line, what a user should know; by default a warning.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        device: str | torch.device = "cpu",
        options: Options | None = None,
        note: Callable[[str], None] = warnings.warn,
    ) -> None:
        self.options, self.device, self.note = options or Options(), torch.device(device), note
        if self.options.precision == "fp16" and self.device.type == "cpu":
            raise UserError("--precision fp16: is for GPUs; bf16 is the CPU's short float")
        self.network = channels_last(network.to(self.device)).eval()
        if not isinstance(network, TrainedOutput):  # whose networks enter their precision each by itself
            at_precision(network)
        self.scale = int(getattr(network, "scale", 1))
        keeps: bool | None = getattr(network, "keeps_colors", None)
        self.keeps_colors = self.scale > 1 if keeps is None else keeps
        """Whether colours are the picture's own: then gray stays gray, and transparency may pass the network."""
        self.beside: Sequence[str] = getattr(network, "sources", ("picture",))[1:]
        self.masks: dict[str, Any] = getattr(network, "masks", {})
        """Files or folders of the masks that the network takes beside a picture, by name; `beside` has all names."""
        self.clip: bool = getattr(network, "clip", False)  # whether pictures of one batch are frames, in order
        self.alpha = self.options.alpha or ("network" if self.keeps_colors else "resize")
        self.multiple = int(getattr(network, "multiple", 1))
        self.channels = channels_of(self.network, self.device, self.multiple, len(self.beside))
        self.tile = self.options.tile
        """The side of a tile; smaller than asked for once memory has run out."""
        self._passage = Passage(
            self.options, self.alpha, self.keeps_colors, self._takes_all, self._white, self._compute, note
        )
        self._largest, self._noted = 512 if self.device.type == "cpu" else 1024, False
        self._bytes: float | None = None

    def __call__(self, array: np.ndarray, *, alpha: bool = False) -> np.ndarray:
        """Pixels (H, W) or (H, W, C) of type uint8, uint16 or float32 to pixels of the same type."""
        gray = array.ndim == 2
        made = self.translate([Picture(array[..., None] if gray else array, alpha=alpha)])[0].array
        return made[..., 0] if gray and made.shape[2] == 1 else made

    def translate(self, pictures: Sequence[Picture], *, done: Callable[[float], None] | None = None) -> list[Picture]:
        """Pictures of one size and kind, computed as one batch, or as one clip where the network takes clips.

        `done` hears the part that is done after each tile.

        Raises:
            UserError: the network does not take that many channels.
            ValueError: the result holds NaN.
        """
        if self.channels == 1:
            pictures = [as_gray(picture, self._white(picture.array.dtype)) for picture in pictures]
        for picture in pictures:
            self._way_in(picture)
        return self._passage.translate(pictures, done)

    def _compute(self, pictures: Sequence[Picture], done: Callable[[float], None] | None = None) -> list[Picture]:
        """Pictures of one size and kind through the network, and no more."""
        first = pictures[0]
        gray, alpha = self._way_in(first)
        images = torch.from_numpy(np.stack([self._floats(picture, gray, alpha) for picture in pictures]))
        images = images.flatten(0, 1)  # colours, and transparency as further images
        dtype, white = first.array.dtype, self._white(first.array.dtype)
        resized = self.options.outscale not in (None, self.scale)
        kept = np.dtype(np.uint16) if resized and dtype != np.float32 else dtype
        levels = LEVELS[kept] if kept != dtype else white
        made = self._run(images, len(pictures), gray, kept, levels, done)
        if resized:
            height, width = (max(1, round(side * (self.options.outscale or 1))) for side in first.array.shape[:2])
            made = [outscaled(each, (height, width), levels, dtype, white) for each in made]
        results = []
        for picture, array in zip(pictures, made, strict=True):
            if picture.alpha and self.alpha == "resize" and not self._takes_all(picture):
                plane = torch.from_numpy(picture.array[..., -1].astype(np.float32) / white)
                plane = resize_to(plane[None, None], array.shape[:2]).clamp(0, 1)[0, 0].numpy()
                array = np.concatenate([array, typed(plane[..., None], white, dtype)], axis=2)
            kept_alpha = self.alpha != "drop" or self._takes_all(picture)
            has_alpha = picture.alpha and kept_alpha and array.shape[2] in (2, 4)
            results.append(picture.with_pixels(array, alpha=has_alpha))
        return results

    # ------------------------------------------------------------------ channels

    def _safe_side(self) -> int:
        return safe_side(self.multiple)

    def _white(self, dtype: np.dtype) -> float:
        return self.options.white or LEVELS[dtype]

    def _takes_all(self, picture: Picture) -> bool:
        """Whether transparency is simply one of the network's channels."""
        return self.channels == picture.array.shape[2]

    def _way_in(self, picture: Picture) -> tuple[bool, bool]:
        """Whether gray is repeated for the network; whether alpha goes through apart."""
        if self._takes_all(picture):
            return False, False
        gray = picture.colours == 1
        if not gray and picture.colours != self.channels:
            has = f"{picture.colours} channel{'s' * (picture.colours != 1)}"
            way = "; convert it to gray, or take a network of 3" if self.channels == 1 else ""
            raise UserError(f"the picture has {has}, and the network takes {self.channels}{way}")
        return gray and self.channels != 1, picture.alpha and self.alpha == "network"

    def _floats(self, picture: Picture, gray: bool, alpha: bool) -> np.ndarray:
        """(1 or 2, C, H, W) float32 in [0, 1]: the colours, and the transparency in every channel."""
        white = self._white(picture.array.dtype)
        planes = np.moveaxis(picture.array, -1, 0)
        colours = planes if self._takes_all(picture) else planes[: picture.colours]
        parts = [colours.repeat(self.channels, 0) if gray else colours]
        if alpha:
            parts.append(planes[-1:].repeat(self.channels, 0))
        floats = np.stack(parts).astype(np.float32)
        floats /= white
        return floats.clip(0, 1, out=floats)

    # ------------------------------------------------------------------ computing

    def _run(
        self,
        images: Tensor,
        count: int,
        gray: bool,
        dtype: np.dtype,
        levels: float,
        done: Callable[[float], None] | None,
    ) -> list[np.ndarray]:
        """The results (H', W', C') of `count` pictures; parts are rounded to their type as they are made."""
        cut = self._may_tile(images) or self.options.tileable
        with self._surveying(images) if cut else nullcontext():
            return self._in_tiles(images, count, gray, dtype, levels, done)

    @contextmanager
    def _surveying(self, images: Tensor) -> Iterator[None]:
        with torch.inference_mode(), self._precision(), surveyed(self.network, images, self.device):
            yield

    def _in_tiles(
        self,
        images: Tensor,
        count: int,
        gray: bool,
        dtype: np.dtype,
        levels: float,
        done: Callable[[float], None] | None,
    ) -> list[np.ndarray]:
        height, width = images.shape[-2:]
        each = len(images) // count  # 1, or 2 with transparency
        known = self._reach(count) if self._may_tile(images) or self.options.tileable else None
        margin = known.halo if known and self.options.tileable else 0
        images = padded(wrapped(images, margin), self.multiple)
        result: list[np.ndarray] = []

        def store(y: int, x: int, part: Tensor) -> None:
            part = part.float().cpu()
            if bool(part.isnan().any()):
                raise ValueError("the result holds NaN: half precision overflowed (try fp32), or the weights diverged")
            colours = part[::each].mean(1, keepdim=True) if gray and self.keeps_colors else part[::each]
            planes = torch.cat([colours, part[1::each].mean(1, keepdim=True)], 1) if each == 2 else colours
            if not result:
                shape = (count, height * self.scale, width * self.scale, planes.shape[1])
                result.append(np.empty(shape, dtype))
            y, x = y - margin * self.scale, x - margin * self.scale
            top, left = max(0, -y), max(0, -x)
            pixels = typed(planes[..., top:, left:].permute(0, 2, 3, 1).numpy(), levels, dtype)
            there = result[0][:, y + top : y + top + pixels.shape[1], x + left : x + left + pixels.shape[2]]
            there[...] = pixels[:, : there.shape[1], : there.shape[2]]

        def work(tile: int) -> None:
            try:
                compute(tile, images)
            except (RuntimeError, ValueError) as error:
                side = self._safe_side()
                if min(images.shape[-2:]) >= side or is_out_of_memory(error):
                    raise
                compute(0, mirrored_to(images, side))  # too small for the network: the result is cut back by `store`

        def compute(tile: int, images: Tensor) -> None:
            halo, feather = self._overlap(known or self._reach(count)) if tile else (0, False)
            with torch.inference_mode(), self._precision():
                tiled(
                    partial(self._call, kinds=each), images, store,
                    tile=tile, halo=halo, scale=self.scale, multiple=self.multiple, feather=feather, done=done,
                )  # fmt: skip

        tile = self._side(images, known)
        if self.options.tile == 0:
            work(0)
        else:
            reduced = halving(work, tile, whole=max(images.shape[-2:]))
            if reduced != tile:
                self.tile = reduced
                self.note(f"memory ran out; going on in tiles of {reduced}")
        return list(result[0])

    def _call(self, images: Tensor, kinds: int = 1) -> Tensor:
        """The network's results. Of a clip, colours and transparency (two `kinds`, in turn) are a clip each."""
        images = images.to(self.device, memory_format=torch.channels_last)
        if not self.clip or kinds == 1:
            return self.network(images)
        return torch.stack([self.network(images[kind::kinds]) for kind in range(kinds)], 1).flatten(0, 1)

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
                self._bytes = memory_per_pixel(self._call, self.network, sample)
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
