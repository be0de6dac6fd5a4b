"""Encoders of films: opened anew for each piece, always alike, so that pieces make one stream."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from toolbox.io.errors import RunFailed, UserError, did_you_mean
from toolbox.video.codecs import CODECS, CONTAINERS, Codec
from toolbox.video.colours import Colours, to_frame
from toolbox.video.opening import failures, pyav, reason_of
from toolbox.video.scheduling import ordinary_threads

_PRORES = {"proxy": "0", "lt": "1", "standard": "2", "hq": "3"}


@dataclass(frozen=True)
class Writing:
    """How a film is encoded.

    Args:
        codec: a name of `CODECS`.
        ending: of the file.
        width, height: of the result.
        aspect: width of a pixel over its height.
        pixel_format: FFmpeg's name.
        colours: the tags.
        time_base: seconds of a tick.
        rate: frames a second, about.
        crf, preset: quality and speed; None: the codec's usual ones.
        hdr: options that hand HDR's numbers over, as `toolbox.video.hdr.parameters` makes them.
    """

    codec: str
    ending: str
    width: int
    height: int
    pixel_format: str
    colours: Colours
    time_base: Fraction
    rate: Fraction
    aspect: Fraction | None = None
    crf: float | None = None
    preset: str | None = None
    hdr: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> Codec:
        """The codec."""
        return CODECS[self.codec]

    @property
    def container(self) -> str:
        """FFmpeg's name of the container."""
        return CONTAINERS[self.ending.lower()]

    def described(self) -> dict[str, Any]:
        """As plain values: two that are equal give equal packets."""
        return {name: value if isinstance(value, (int, dict)) else str(value) for name, value in asdict(self).items()}


def check_choice(codec: Codec, crf: float | None, preset: str | None) -> None:
    """Refuse a quality or a speed that a codec does not have. Raises UserError."""
    if crf is not None:
        if codec.crf is None:
            without = "is without loss" if codec.name == "ffv1" else "has no such number: --encoder-preset chooses"
            raise UserError(f"--crf {crf:g}: {codec.name} {without}; leave it out")
        if not codec.crf[1] <= crf <= codec.crf[2]:
            raise UserError(f"--crf {crf:g}: of {codec.name}, must be from {codec.crf[1]:g} to {codec.crf[2]:g}")
    if preset is not None and preset not in codec.presets:
        raise UserError(f"--encoder-preset {preset}: {codec.name} has none of that name"
                        f"{did_you_mean(preset, codec.presets)}")  # fmt: skip


class Encoder:
    """Encodes one piece: `encode(array, pts, duration)` gives packets, and `end()` the last ones."""

    def __init__(self, writing: Writing) -> None:
        self.writing = writing
        av = pyav()
        os.environ.setdefault("SVT_LOG", "1")  # errors alone; it would tell its settings to the terminal
        self.context = av.CodecContext.create(writing.kind.encoder, "w")
        configure(self.context, writing)
        if needs_global_header(writing):
            self.context.flags |= av.codec.context.Flags.global_header
        self.context.options = options_of(writing)

    def encode(self, array: np.ndarray, pts: int, duration: int) -> Iterator[Any]:
        """Encode a frame (H, W, 3 or 4).

        Raises:
            RunFailed: the encoder refuses.
        """
        frame = to_frame(array, self.writing.colours, self.writing.pixel_format)
        frame.pts, frame.time_base, frame.duration = pts, self.writing.time_base, duration
        yield from self._given(frame)

    def end(self) -> Iterator[Any]:
        """What the encoder still holds."""
        yield from self._given(None)

    def _given(self, frame: Any) -> Iterator[Any]:
        try:
            if not self.context.is_open:
                with ordinary_threads():
                    self.context.open()
            packets = self.context.encode(frame)
        except (OSError, *failures()) as error:
            size = f"{self.writing.width}x{self.writing.height} {self.writing.pixel_format}"
            raise RunFailed(f"{self.writing.kind.encoder} cannot encode {size} ({reason_of(error)})") from None
        yield from (packet for packet in packets if packet.size)


def configure(context: Any, writing: Writing) -> None:
    """Set what an encoder is told of its frames."""
    context.width, context.height, context.pix_fmt = writing.width, writing.height, writing.pixel_format
    context.time_base, context.framerate = writing.time_base, writing.rate
    if writing.aspect:
        context.sample_aspect_ratio = writing.aspect
    tags = writing.colours
    context.colorspace, context.color_range = tags.matrix, tags.range
    context.color_primaries, context.color_trc = tags.primaries, tags.curve
    if writing.codec == "hevc" and writing.container in ("mp4", "mov"):
        context.codec_tag = "hvc1"  # players of Apple's know no other


def options_of(writing: Writing) -> dict[str, str]:
    """The encoder's own options."""
    kind, made = writing.kind, dict(writing.kind.options)
    preset = writing.preset or kind.preset
    if kind.name == "prores":
        made["profile"] = "4" if "444" in writing.pixel_format else _PRORES[preset or "hq"]
        made["vendor"] = "apl0"
    elif preset:
        made["preset"] = preset
    if kind.crf:
        made["crf"] = f"{kind.crf[0] if writing.crf is None else writing.crf:g}"
    for name, value in writing.hdr.items():
        made[name] = f"{made[name]}:{value}" if name in made else value
    if kind.name == "hevc":
        made["x265-params"] = ":".join(["log-level=none", *([made["x265-params"]] if "x265-params" in made else [])])
    return made


def needs_global_header(writing: Writing) -> bool:
    """Whether the container keeps the stream's header apart."""
    av = pyav()
    return bool(av.ContainerFormat(writing.container, "w").flags & av.format.Flags.global_header.value)
