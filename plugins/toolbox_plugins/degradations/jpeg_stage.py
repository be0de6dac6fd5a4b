"""JPEG compression as a stage: libjpeg itself where it can be, the codec in torch elsewhere."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from toolbox import UserError

from .arrays import to_levels
from .jpeg import Rounding, jpeg
from .stage import Draws, Size, Stage, in_batches

SAMPLING = {"4:2:0": 0x221111, "4:4:4": 0x111111}
"""OpenCV's names of the chroma subsamplings (IMWRITE_JPEG_SAMPLING_FACTOR)."""


class JPEG(Stage):
    """Compresses each sample with a whole quality of its own, all in the range as likely.

    `codec: auto` calls libjpeg for images on the CPU that need no gradient, which is several times faster, and the
    codec in torch otherwise; they differ by less than 0.15 of an 8-bit level in the mean. `libjpeg` and `torch` force
    one. Real-ESRGAN draws fractional qualities; files have whole ones.
    """

    def __init__(
        self,
        *,
        quality: tuple[int, int] = (30, 95),
        subsampling: Literal["4:2:0", "4:4:4"] = "4:2:0",
        codec: Literal["auto", "libjpeg", "torch"] = "auto",
        rounding: Literal["straight_through", "cubic"] = "straight_through",
        probability: float = 1.0,
    ) -> None:
        super().__init__(probability=probability)
        if len(quality) != 2 or not 1 <= quality[0] <= quality[1] <= 100:
            raise UserError(f"quality must be [lowest, highest], whole numbers from 1 to 100, got {list(quality)}")
        if codec == "libjpeg" and rounding == "cubic":
            raise UserError("rounding: cubic is for the codec in torch; write codec: torch")
        self.quality, self.subsampling = (quality[0], quality[1]), subsampling
        self.codec = codec
        self.rounding: Rounding = rounding

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        low, high = self.quality
        return {"quality": torch.randint(low, high + 1, (count,), generator=rng)}

    def treat(self, samples: list[Tensor], draws: Draws, final: Size) -> list[Tensor]:
        if not self.real(samples):
            return in_batches(samples, draws, self.damage)
        qualities = draws["quality"].tolist()
        tasks = [
            (sample.detach(), quality, self.subsampling) for sample, quality in zip(samples, qualities, strict=True)
        ]
        workers = torch.get_num_threads()
        if workers == 1 or len(tasks) == 1:
            return [libjpeg(*task) for task in tasks]
        return list(_pool(workers).map(lambda task: libjpeg(*task), tasks))  # the codec releases the lock

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        return jpeg(images, draws["quality"], subsampling=self.subsampling, rounding=self.rounding)

    def alter(self, image: np.ndarray, rng: np.random.Generator, final: Size) -> np.ndarray:
        if self.codec == "torch" or self.rounding == "cubic":
            return super().alter(image, rng, final)
        return compressed(image, int(rng.integers(self.quality[0], self.quality[1] + 1)), self.subsampling)

    def real(self, samples: list[Tensor]) -> bool:
        """Whether libjpeg compresses these samples."""
        if self.codec != "auto":
            return self.codec == "libjpeg"
        gradient = torch.is_grad_enabled() and any(sample.requires_grad for sample in samples)
        return samples[0].device.type == "cpu" and not gradient and self.rounding == "straight_through"

    def extra_repr(self) -> str:
        return f"quality={self.quality}, subsampling={self.subsampling}, probability={self.probability}"


def libjpeg(sample: Tensor, quality: int, subsampling: str) -> Tensor:
    """Compress one image (C, H, W) in [0, 1] with the real codec, of other than three channels each for itself."""
    decoded = compressed(np.ascontiguousarray(sample.permute(1, 2, 0).cpu().float().numpy()), quality, subsampling)
    return torch.from_numpy(decoded).permute(2, 0, 1).to(sample, memory_format=torch.contiguous_format)


def compressed(image: np.ndarray, quality: int, subsampling: str) -> np.ndarray:
    """The same for an array (H, W, C), float32."""
    channels = image.shape[-1]
    if channels not in (1, 3):
        planes = (np.ascontiguousarray(plane) for plane in np.split(image, channels, -1))
        return np.concatenate([compressed(plane, quality, subsampling) for plane in planes], -1)
    levels = to_levels(image)
    levels = cv2.cvtColor(levels, cv2.COLOR_RGB2BGR) if channels == 3 else levels
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLING[subsampling]]
    encoded = cv2.imencode(".jpg", levels, options)[1]
    decoded: Any = cv2.imdecode(encoded, cv2.IMREAD_COLOR if channels == 3 else cv2.IMREAD_GRAYSCALE)
    decoded = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB) if channels == 3 else decoded[..., None]
    return decoded / np.float32(255)


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="jpeg")
