"""Pieces made one film: their packets as one stream, beside what was copied, in a file that appears whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from toolbox.io.errors import RunFailed, UserError
from toolbox.io.files import whole
from toolbox.video.copying import Cut, add_streams, copied_packets, copy_tags
from toolbox.video.encoding import Writing, configure, options_of
from toolbox.video.opening import failures, opened, pictures_of, pyav, reason_of
from toolbox.video.packets import read_index, read_packets
from toolbox.video.scheduling import ordinary_threads


def join(
    target: Path, writing: Writing, pieces: Sequence[Path], source: Path | None, cut: Cut,
    note: Callable[[str], None],
) -> None:  # fmt: skip
    """Write the pieces as one film, with everything of `source` but its pictures.

    Args:
        source: the film whose sound and the like are copied; None for pictures alone.
        note: is told what cannot be copied.

    Raises:
        RunFailed: the container refuses (`NotWritten`: the disk).
        UserError: a piece is damaged.
    """
    av = pyav()
    with whole(target) as file:
        try:
            with av.open(file, "w", format=writing.container, buffer_size=1 << 20, options=_muxer(writing)) as output:
                stream = output.add_stream(
                    writing.kind.encoder, rate=writing.rate, options=options_of(writing), time_base=writing.time_base
                )
                configure(stream.codec_context, writing)
                stream.time_base = writing.time_base
                ours = _video_packets(stream, writing, pieces, cut)
                if source is None:
                    _mux(output, ours, iter(()))
                else:
                    with opened(source) as given:
                        copies = add_streams(output, given, source, writing.ending)
                        for line in copies.notes:
                            note(line)
                        copy_tags(given, output, pictures_of(given, source), stream, cut)
                        _mux(output, ours, copied_packets(given, copies, cut))
        except OSError:
            raise
        except UserError:
            raise
        except failures() as error:
            raise RunFailed(f"{target}: {writing.container} cannot be written ({reason_of(error)})") from None


def _muxer(writing: Writing) -> dict[str, str]:
    """Time stamps stay what they are, also those below 0; a late beginning is told in ticks, not in milliseconds."""
    if writing.container not in ("mp4", "mov"):
        return {}
    finest = writing.time_base.denominator
    return {"avoid_negative_ts": "disabled", "movie_timescale": str(finest if 1000 <= finest < 1 << 31 else 90_000)}


def _mux(output: Any, ours: Iterator[tuple[Fraction, Any]], others: Iterator[tuple[Fraction, Any]]) -> None:
    """Write both in the order of their times."""
    with ordinary_threads():
        output.start_encoding()
    first, second = next(ours, None), next(others, None)
    while first or second:
        if second is None or (first is not None and first[0] <= second[0]):
            assert first is not None
            output.mux_one(first[1])
            first = next(ours, None)
        else:
            output.mux_one(second[1])
            second = next(others, None)


def _video_packets(stream: Any, writing: Writing, pieces: Sequence[Path], cut: Cut) -> Iterator[tuple[Fraction, Any]]:
    """All packets with times of decoding that fit all pieces.

    A piece's encoder knows nothing of its neighbours, and its own times of decoding may overlap theirs. With frames
    that come at most `delay` packets before their turn, packet i is decoded when frame i − delay is shown.
    """
    av = pyav()
    indices = [read_index(piece) for piece in pieces]
    shown = sorted(pts for index in indices for pts in index.pts)
    delay = max((index.delay for index in indices), default=0)
    step = max(1, shown[1] - shown[0]) if len(shown) > 1 else 1
    shift, number = round(cut.shift / writing.time_base), 0
    for piece in pieces:
        for pts, duration, key, data in read_packets(piece):
            packet = av.Packet(data)
            early = number - delay
            dts = shown[early] if early >= 0 else shown[0] + early * step
            packet.pts, packet.dts, packet.time_base = pts - shift, dts - shift, writing.time_base
            packet.duration, packet.is_keyframe, packet.stream = duration, key, stream
            number += 1
            yield (dts - shift) * writing.time_base, packet
