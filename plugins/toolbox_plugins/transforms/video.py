"""Artifacts of video codecs: real encodes through PyAV (FFmpeg), which only the optional extra `video` brings."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from toolbox import Images, Sizes, Transform, UserError
from toolbox.video.codecs import X264_ALIKE

from .naming import named, painted

CODECS = ("libx264", "libx265", "mpeg4", "mpeg2video")
ALIKE = {
    "libx264": {"x264-params": f"threads=1:lookahead-threads=1:sync-lookahead=0:{X264_ALIKE}"},
    "libx265": {"x265-params": "log-level=error:pools=1:frame-threads=1"},
}
"""What has encoders give the same bytes for the same frames, beside FFmpeg's own count of threads."""


class VideoCompression(Transform):
    """Makes a short clip of an image, encodes it with a random codec and bit rate, and keeps the last frame.

    The picture drifts by up to `motion` pixels from frame to frame, so that the last frame is predicted from others,
    as most frames of a video are. Reads `source` and writes `target`, by default in place; sizes are kept (odd ones
    are padded for the encoder). Needs `pip install gan-toolbox[video]`.
    """

    def __init__(
        self,
        *,
        source: str,
        target: str | None = None,
        codecs: tuple[str, ...] = ("libx264", "mpeg4"),
        bits_per_pixel: tuple[float, float] = (0.02, 0.3),
        frames: int = 4,
        motion: int = 2,
        probability: float = 1.0,
    ) -> None:
        """`bits_per_pixel` is the bit rate over the pixels per second: 720p at 30 frames and 2 Mbit/s has 0.07."""
        unknown = [codec for codec in codecs if codec not in CODECS]
        if unknown or not codecs:
            raise UserError(f"codecs must name some of {', '.join(CODECS)}, got {list(codecs)}")
        low, high = bits_per_pixel
        if not 0 < low <= high:
            raise UserError(f"bits_per_pixel must be [lowest, highest], above 0, got {list(bits_per_pixel)}")
        if frames < 1 or motion < 0:
            raise UserError(f"frames must be 1 or more and motion 0 or more, got {frames} and {motion}")
        if not 0 <= probability <= 1:
            raise UserError(f"probability must be a probability from 0 to 1, got {probability}")
        self.source, self.target, self.codecs = source, target or source, tuple(codecs)
        self.bits_per_pixel, self.frames, self.motion = (low, high), frames, motion
        self.probability = probability
        self.av = _pyav()

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        image = named(images, self.source, self)
        chosen, codec = rng.random() < self.probability, self.codecs[int(rng.integers(len(self.codecs)))]
        rate = float(np.exp(rng.uniform(*np.log(self.bits_per_pixel))))
        drift = rng.integers(-self.motion, self.motion + 1, (self.frames, 2))
        if image.shape[2] != 3:
            raise UserError(f"VideoCompression: '{self.source}' must have 3 channels, got {image.shape[2]}")
        return {**images, self.target: self.compressed(image, codec, rate, drift) if chosen else image.copy()}

    def sizes_after(self, sizes: Sizes) -> Sizes:
        return painted(sizes, self.source, self.target, self)

    def compressed(self, image: np.ndarray, codec: str, rate: float, drift: np.ndarray) -> np.ndarray:
        """The last frame (H, W, 3) of a clip that ends with the image, encoded at `rate` bits per pixel."""
        height, width = image.shape[:2]
        room = max(self.motion, 0) * self.frames  # the drift adds up
        tall, wide = max(height, 16), max(width, 16)  # the least that encoders take, and even
        extra = ((room, room + tall - height + tall % 2), (room, room + wide - width + wide % 2), (0, 0))
        padded = np.pad(image, extra, mode="symmetric")
        corners = room + np.concatenate([drift[1:][::-1].cumsum(0)[::-1], np.zeros((1, 2), int)])  # the last: no drift
        size = (tall + tall % 2, wide + wide % 2)
        clip = [np.ascontiguousarray(padded[y : y + size[0], x : x + size[1]]) for y, x in corners]
        return self._coded(clip, codec, int(rate * size[0] * size[1] * 25))[:height, :width]

    def _coded(self, clip: list[np.ndarray], codec: str, bit_rate: int) -> np.ndarray:
        """Encode frames in memory at 25 per second, decode them, return the last one."""
        file = io.BytesIO()
        with self.av.open(file, "w", format="matroska") as out:
            stream = out.add_stream(codec, rate=25)
            stream.height, stream.width = clip[0].shape[:2]
            stream.pix_fmt, stream.bit_rate = "yuv420p", max(bit_rate, 1000)
            stream.codec_context.thread_count = 1  # loaders run side by side, and the result depends on the count
            stream.options = ALIKE.get(codec, {})
            for array in clip:
                out.mux(stream.encode(self.av.VideoFrame.from_ndarray(array, format="rgb24")))
            out.mux(stream.encode(None))
        file.seek(0)
        with self.av.open(file) as back:
            decoded = [frame.to_ndarray(format="rgb24") for frame in back.decode(video=0)]
        return np.ascontiguousarray(decoded[-1])


def _pyav() -> Any:
    try:
        import av
    except ImportError:
        raise UserError("VideoCompression needs PyAV; install it with pip install 'gan-toolbox[video]'") from None
    return av
