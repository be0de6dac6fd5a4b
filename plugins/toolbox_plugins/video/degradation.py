"""Damage of videos: what a camera and a codec do to frames that follow each other."""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from toolbox import Degradation, UserError, resize_bicubic
from toolbox.video.opening import pyav
from toolbox_plugins.degradations.stage import check_bounds, check_probability
from toolbox_plugins.transforms.video import ALIKE, CODECS

SIDE = 16
"""Pixels of an encoder's blocks: sides are continued to multiples of it, so that nothing else is read there."""


class VideoDegradation(Degradation):
    """Blurs, shrinks, adds noise and encodes clips: every frame of a clip alike, or drifting slowly, noise anew.

    Blur (a Gaussian, isotropic), then MATLAB's bicubic by `scale`, then Gaussian noise, whose strength is the clip's
    and whose field is each frame's own, then an encode by a real codec (PyAV) at a bit rate of the clip's, so that
    later frames are predicted from earlier ones, with the artefacts of that. A single picture is a clip of one frame,
    of which a codec shows its key frames alone.

    Args:
        blur_sigma: lowest and highest deviation of the blur, in pixels of the large frame.
        noise_sigma: lowest and highest deviation of the noise, in levels of 255.
        drift: how far blur and noise may move over a clip, as a share of their range: 0 keeps them.
        compression: the probability that a clip is encoded; 0 needs no PyAV.
        codecs: one is drawn for each clip.
        bits_per_pixel: lowest and highest bit rate over the small pixels per second, drawn on a logarithmic scale.

    Raises:
        UserError: an argument is out of range, or PyAV is not installed.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        blur_sigma: tuple[float, float] = (0.2, 1.5),
        noise_sigma: tuple[float, float] = (0.0, 8.0),
        drift: float = 0.3,
        compression: float = 0.8,
        codecs: tuple[str, ...] = ("libx264", "mpeg4"),
        bits_per_pixel: tuple[float, float] = (0.1, 1.0),
    ) -> None:
        super().__init__()
        if scale not in (1, 2, 3, 4, 8):
            raise UserError(f"scale must be 1, 2, 3, 4 or 8, got {scale}")
        unknown = [codec for codec in codecs if codec not in CODECS]
        if unknown or not codecs:
            raise UserError(f"codecs must name some of {', '.join(CODECS)}, got {list(codecs)}")
        self.scale, self.codecs = scale, tuple(codecs)
        self.blur_sigma = check_bounds("blur_sigma", blur_sigma, low=0)
        self.noise_sigma = check_bounds("noise_sigma", noise_sigma, low=0)
        self.bits_per_pixel = check_bounds("bits_per_pixel", bits_per_pixel, low=1e-3)
        self.drift, self.compression = check_probability("drift", drift), check_probability("compression", compression)
        if compression:
            pyav()

    def forward(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Damage pictures (B, C, H, W) or clips (B, T, C, H, W) in [0, 1], each by itself; no gradient passes."""
        seeds = torch.randint(2**62, (len(images),), generator=rng).tolist()
        made = []
        for image, seed in zip(images, seeds, strict=True):
            array = np.ascontiguousarray(np.moveaxis(image.detach().cpu().float().numpy(), -3, -1))
            damaged = self.degrade(array, np.random.default_rng(seed))
            made.append(torch.from_numpy(np.ascontiguousarray(np.moveaxis(damaged, -1, -3))))
        return torch.stack(made).to(images)

    def degrade(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Damage a clip (T, H, W, C), or a picture (H, W, C), float32 in [0, 1]: (T, H/scale, W/scale, C)."""
        clip = image if image.ndim == 4 else image[None]
        self.check_size(*clip.shape[1:3])
        count = len(clip)
        blur, noise = self.course(self.blur_sigma, count, rng), self.course(self.noise_sigma, count, rng)
        codec = self.codecs[int(rng.integers(len(self.codecs)))]
        rate = float(np.exp(rng.uniform(*np.log(self.bits_per_pixel))))
        encoded = rng.random() < self.compression
        clip = np.stack([blurred(frame, sigma) for frame, sigma in zip(clip, blur, strict=True)])
        if self.scale > 1:
            planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(clip, -1, 1)))
            clip = np.moveaxis(resize_bicubic(planes, down=self.scale).numpy(), 1, -1)
        field = rng.standard_normal(clip.shape, dtype=np.float32)
        clip = np.clip(clip + field * (noise / 255)[:, None, None, None], 0, 1)
        if encoded and clip.shape[-1] == 3:
            clip = through_a_codec(np.round(clip * 255).astype(np.uint8), codec, rate).astype(np.float32) / 255
        made = np.ascontiguousarray(clip, dtype=np.float32)
        return made if image.ndim == 4 else made[0]

    def course(self, bounds: Sequence[float], count: int, rng: np.random.Generator) -> np.ndarray:
        """A value for each frame (count,) float32: from one drawn within bounds towards another, not too far."""
        low, high = bounds
        first = rng.uniform(low, high)
        last = np.clip(first + rng.uniform(-1, 1) * self.drift * (high - low), low, high)
        return np.linspace(first, last, count, dtype=np.float32)


def blurred(frame: np.ndarray, sigma: float) -> np.ndarray:
    """A frame (H, W, C) under a Gaussian; deviations below a fifth of a pixel change nothing."""
    if sigma < 0.2:
        return frame
    smooth = cv2.GaussianBlur(frame, (0, 0), float(sigma), borderType=cv2.BORDER_REFLECT_101)
    return smooth if smooth.ndim == 3 else smooth[..., None]


def through_a_codec(clip: np.ndarray, codec: str, rate: float) -> np.ndarray:
    """A clip (T, H, W, 3) uint8, encoded in memory at `rate` bits per pixel and 25 frames a second, and decoded."""
    av = pyav()
    height, width = clip.shape[1:3]
    below, right = (-side % SIDE for side in (height, width))
    padded = np.pad(clip, ((0, 0), (0, below), (0, right), (0, 0)), mode="edge")
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream(codec, rate=25)
        stream.height, stream.width = padded.shape[1:3]
        stream.pix_fmt, stream.bit_rate = "yuv420p", max(int(rate * padded.shape[1] * padded.shape[2] * 25), 1000)
        stream.codec_context.thread_count = 1  # loaders run side by side, and the result depends on the count
        stream.options = ALIKE.get(codec, {})
        for frame in padded:
            made = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            out.mux(stream.encode(made.reformat(format="yuv420p", threads=1)))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as back:
        stream = back.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "NONE", 1
        decoded = [frame.reformat(format="rgb24", threads=1).to_ndarray() for frame in back.decode(stream)]
    return np.stack(decoded)[:, :height, :width]
