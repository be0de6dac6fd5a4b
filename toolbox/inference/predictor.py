"""A trained network as a function of pictures: whatever their size, type, channels and transparency."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from toolbox.assembly.loading import TrainedOutput
from toolbox.contracts.clips import window_of
from toolbox.inference.channels import as_gray, channels_of
from toolbox.inference.given import array_through, image_through, tensor_through
from toolbox.inference.levels import LEVELS, outscaled, typed
from toolbox.inference.options import Options
from toolbox.inference.passage import Passage
from toolbox.inference.picture import Picture
from toolbox.inference.serving import Server
from toolbox.inference.tiled_network import Batch, TiledNetwork
from toolbox.inference.windows import Stacked
from toolbox.io.errors import UserError
from toolbox.io.resize import resize_to
from toolbox.training.finishing import channels_last
from toolbox.training.precision import at_precision

Given = TypeVar("Given", np.ndarray, Image.Image, Tensor)


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
        self.window = window_of(network)
        """Frames of a film that the network takes at once, on each other as channels, to give the middle one."""
        if self.window > 1:
            network = Stacked(network, self.window)
        self.network = channels_last(network.to(self.device)).eval()
        if not isinstance(network, TrainedOutput):  # whose networks enter their precision each by itself
            at_precision(network)
        self.server = Server(self.network, self.options, self.device, note)
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
        self._tiled = TiledNetwork(self.server, self.channels, self.options, self.device, note)
        self._passage = Passage(
            self.options, self.alpha, self.keeps_colors, self._takes_all, self._white, self._compute, note
        )

    @property
    def tile(self) -> int | None:
        """The side of a tile; smaller than asked for once memory has run out."""
        return self._tiled.tile

    def fix(self, chosen: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Keep to one runtime and one side of tiles from here on: those chosen before, or those of the last picture.

        Both may change a result by a rounding, and neither is chosen alike each time. Returns what was chosen.
        """
        chosen = chosen or {}
        self._tiled.tile = int(chosen.get("tile", self._tiled.last_side))
        return {"backend": self.server.fix(chosen.get("backend")), "tile": self._tiled.tile}

    def choose_tiles(self) -> None:
        """Tiles are again those of the options."""
        self._tiled.tile = self.options.tile

    def __call__(self, picture: Given, *, alpha: bool = False) -> Given:
        """A picture to a picture of the same kind.

        Args:
            picture: pixels (H, W) or (H, W, C) of uint8, uint16, floats in [0, 1], which come back as float32, or
                truth values; a Pillow image, which is turned upright; or a tensor of images (C, H, W) or (B, C, H, W)
                in [0, 1].
            alpha: whether an array's or a tensor's last channel is transparency.

        Raises:
            UserError: what was given is no such picture, or the network does not take that many channels.
        """
        if isinstance(picture, Image.Image):
            return image_through(picture, self._one)
        if isinstance(picture, Tensor):
            return tensor_through(picture, self._one, alpha=alpha, channels=self.channels)
        return array_through(picture, self._one, alpha=alpha, channels=self.channels)

    def _one(self, picture: Picture) -> Picture:
        return self.translate([picture])[0]

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
        floats = np.empty((len(pictures), 1 + alpha, self.channels, *first.array.shape[:2]), np.float32)
        for picture, there in zip(pictures, floats, strict=True):
            self._put_floats(picture, there)
        images = torch.from_numpy(floats).flatten(0, 1)  # colours, and transparency as further images
        dtype, white = first.array.dtype, self._white(first.array.dtype)
        resized = self.options.outscale not in (None, self.scale)
        kept = np.dtype(np.uint16) if resized and dtype != np.float32 else dtype
        levels = LEVELS[kept] if kept != dtype else white
        made = self._tiled(images, Batch(len(pictures), gray and self.keeps_colors, kept, levels), done)
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

    def _put_floats(self, picture: Picture, there: np.ndarray) -> None:
        """Write (1 or 2, C, H, W) float32 in [0, 1]: the colours, and the transparency in every channel."""
        dtype = picture.array.dtype
        white = self._white(dtype)
        planes = np.moveaxis(picture.array, -1, 0)
        colours = planes if self._takes_all(picture) else planes[: picture.colours]
        np.divide(colours, white, out=there[0], dtype=np.float32)
        if len(there) == 2:
            np.divide(planes[-1:], white, out=there[1], dtype=np.float32)
        if dtype.kind == "f" or white < np.iinfo(dtype).max:
            there.clip(0, 1, out=there)
