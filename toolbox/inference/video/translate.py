"""A film through a network: decoded, translated and encoded at once; stopped at any moment, the next run goes on."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from toolbox.contracts.clips import is_recurrent
from toolbox.inference.identity import identity_of
from toolbox.inference.picture import Picture
from toolbox.inference.predictor import Predictor
from toolbox.inference.video.filtering import filter_of
from toolbox.inference.video.job import Film, numbered_name, opened, writing_of
from toolbox.inference.video.pieces import RESERVE, PieceWriter
from toolbox.inference.video.progress import Counting, Progress
from toolbox.inference.video.sequence import Sequence
from toolbox.inference.video.settings import Settings
from toolbox.inference.video.stepping import Step, Stepping, stepping_of
from toolbox.inference.video.threads import Ahead, Behind, room
from toolbox.inference.video.work import Work
from toolbox.io.errors import RunFailed, UserError
from toolbox.io.images import MAX_PIXELS
from toolbox.video.copying import Cut
from toolbox.video.encoding import Writing
from toolbox.video.joining import join
from toolbox.video.reading import Video, VideoFrame

PIECE = 96
"""Frames of a piece, about: what a killed run does again at most, and how far two key frames lie from each other."""
LAYOUT = 1
"""Of a work folder: another one is begun anew."""
_READ_AHEAD, _WRITE_BEHIND = 32, 8


@dataclass
class FilmTranslator:
    """Translates films with one predictor; `translator(source, target, film)`.

    Args:
        batch: frames computed together (1); of a network that takes clips, the length of one (8).
        note: is told, in one line, what a user should know.
        told: hears the progress after each frame.
    """

    predictor: Predictor
    settings: Settings
    note: Callable[[str], None]
    told: Callable[[Progress], None] = lambda progress: None
    batch: int | None = None
    max_pixels: int = MAX_PIXELS
    piece: int = PIECE

    def __call__(self, source: Path, target: Path, film: Film) -> None:
        """Write the result of a film; it appears whole.

        Raises:
            UserError: the film, or an option, is at fault.
            RunFailed: the disk, an encoder, or a damaged frame where that was to end the run. What was done stays.
            ValueError, RuntimeError, MemoryError: the network fails.
        """
        if self.batch is not None and self.batch < 1:
            raise UserError(f"--batch {self.batch}: must be 1 or more")
        if self.predictor.beside:
            raise UserError(f"{source}: is a film, and the network takes masks beside single pictures")
        with ExitStack() as claims:
            with opened(source, self.settings, self.max_pixels) as video:
                stepping = stepping_of(self.predictor, self.batch, video.alpha)
                length = math.ceil(self.piece / stepping.stride) * stepping.stride
                size = self._size(video)
                writing = writing_of(video, film, self.settings, size) if film.ending else None
                work = claims.enter_context(Work(target, self._made_with(video, film, writing, length)))
                if work.restarted:
                    self.note(f"{target}: the pieces of an earlier run were made otherwise, and are thrown away")
                self._note_of_disk(film, writing, size, target)
                done = work.done()
                if done:
                    self.note(f"{target}: goes on from frame {len(done) * length}")
                if not self._finished(work):
                    self._fill(video, work, stepping, length, writing, target, film)
                    work.choose({**(work.chosen() or {}), "finished": True})
                cut = Cut(*self.settings.part, start=video.start)
            pieces = work.done()
            if writing:
                self._room_to_join(work, target)
                join(target, writing, pieces, source if isinstance(video, Video) else None, cut, self.note)
            work.clear()

    def _fill(
        self, video: Video | Sequence, work: Work, stepping: Stepping, length: int, writing: Writing | None,
        target: Path, film: Film,
    ) -> None:  # fmt: skip
        """Make the pieces that are not there."""
        done = len(work.done())
        start, filtering, states = done * length, filter_of(self.settings.temporal), {}
        if done:
            states = work.load_state(done - 1)
            filtering.load_state(states.get("filter", {}))
        writer = PieceWriter(
            work, writing, length, filtering, preview=self.settings.preview,
            folder=None if writing else target, name=_namer(video), alpha=film.alpha and not self.settings.preview,
            total=video.frame_count_estimate, told=Counting(start, video.frame_count_estimate, self.told),
            size=work.size,
        )  # fmt: skip
        first = max(0, start - stepping.context)
        frame_bytes = video.width * video.height * (4 if video.alpha else 3) * video.depth // 8
        result_bytes = round(frame_bytes * self._scale() ** 2)
        reading = Ahead(self._checked(video.frames(first), start), room(frame_bytes, _READ_AHEAD), video.stop)
        with reading as frames, Behind(writer, room(result_bytes, _WRITE_BEHIND)) as behind:
            for step in self._steps(stepping, frames, start, states, work, video):
                ends = (step.frame.number + 1) % length == 0  # whose memory is kept; others would fill the queue
                behind.put(step if ends else replace(step, memory=None))
        if video.corrected:
            self.note(f"{video.path}: {video.corrected} time stamps ran backwards, and were put after the one before")
        for line in (video.resized, video.cut_short) if isinstance(video, Video) else ():
            if line:
                self.note(line)
        if not writer.made and not done:
            raise UserError(f"{video.path}: none of its frames lies between --from and --to")

    def _steps(
        self, stepping: Stepping, frames: Ahead[VideoFrame], start: int, states: dict[str, Any], work: Work,
        video: Video | Sequence,
    ) -> Iterator[Step]:  # fmt: skip
        """The results, after who computes, and in what tiles, is fixed: a run that goes on keeps to it."""
        stream, chosen = iter(frames), work.chosen()
        first = next(stream, None)
        if first is None:
            return
        self.predictor.choose_tiles()
        if chosen is None:
            pixels = first.array.shape[0] * first.array.shape[1]
            self.predictor.server.plan(pixels * self.predictor.channels * (video.frame_count_estimate or 1000))
            if self.predictor.window == 1 and not is_recurrent(self.predictor.network):
                count = stepping.stride + 2 * stepping.context
                self.predictor.translate([Picture(first.array, alpha=video.alpha)] * count)
            chosen = self.predictor.fix()
            work.choose(chosen)
        else:
            self.predictor.fix(chosen)
        for step in stepping(_again(first, stream), start, states.get("network", {})):
            if step.frame.number >= start:
                yield step

    def _checked(self, frames: Iterator[VideoFrame], start: int) -> Iterator[VideoFrame]:
        """Name damaged frames, and end where that is asked for."""
        for frame in frames:
            if frame.problem and frame.number >= start:
                where = f"frame {frame.number}, second {float(frame.time):.2f}"
                if self.settings.damaged == "stop":
                    raise RunFailed(f"{where}: {frame.problem}; --damaged replace takes its neighbour for it")
                self.note(f"{where}: {frame.problem}; its neighbour stands for it")
            yield frame

    # ------------------------------------------------------------------ sizes

    def _scale(self) -> float:
        return self.predictor.options.outscale or self.predictor.scale

    def _size(self, video: Video | Sequence) -> tuple[int, int]:
        """Width and height of the result."""
        width, height = (max(1, round(side * self._scale())) for side in (video.width, video.height))
        if self.predictor.options.outscale is None:
            width, height = video.width * self.predictor.scale, video.height * self.predictor.scale
        return (width * 2 if self.settings.preview else width), height

    def _note_of_disk(self, film: Film, writing: Writing | None, size: tuple[int, int], target: Path) -> None:
        if film.frames is None or writing is None:
            return
        need = 2 * film.frames * size[0] * size[1] * writing.kind.bits_per_pixel / 8
        free = shutil.disk_usage(target.parent).free
        if need > free:
            self.note(f"{target}: may take {need / 1e9:,.1f} GB while it is made, and {free / 1e9:,.1f} GB are free")

    def _room_to_join(self, work: Work, target: Path) -> None:
        free = shutil.disk_usage(target.parent).free - RESERVE
        if work.size > free:
            raise RunFailed(
                f"{target}: needs {work.size / 1e9:.2f} GB more, and {max(0, free) / 1e9:.2f} GB are free there; "
                "make room, and the same command goes on"
            )

    # ------------------------------------------------------------------ the same again

    def _made_with(self, video: Video | Sequence, film: Film, writing: Writing | None, length: int) -> dict[str, Any]:
        """All that the pieces depend on."""
        source, network = video.path, self.predictor.network
        files = [video.path] if isinstance(video, Video) else list(video.found.values())
        about = [each.stat() for each in files]
        return {
            "layout": LAYOUT, "source": str(source.resolve()),
            "bytes": sum(each.st_size for each in about), "changed": max(each.st_mtime_ns for each in about),
            "film": {**asdict(film), "notes": []}, "settings": asdict(self.settings), "frames": length,
            "writing": writing.described() if writing else {}, "options": asdict(self.predictor.options),
            "network": identity_of(network), "batch": self.batch, "device": self.predictor.device.type,
        }  # fmt: skip

    def _finished(self, work: Work) -> bool:
        return bool((work.chosen() or {}).get("finished")) and bool(work.done())


def _again(first: VideoFrame, rest: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    yield first
    yield from rest


def _namer(video: Video | Sequence) -> Callable[[int], str]:
    """The names of a result's pictures by their numbers: a sequence's own, else from 1."""
    pattern = numbered_name(video.path)
    lowest = video.lowest if isinstance(video, Sequence) else 1
    return lambda number: pattern % (lowest + number)
