"""Many picture files through a network, reading and writing alongside."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

import numpy as np

from toolbox.inference.frames import Frames, read_frames, write_frames
from toolbox.inference.masks import Masks, with_masks
from toolbox.inference.picture import Picture, read_picture
from toolbox.inference.picture_write import check_values, write_picture
from toolbox.inference.planning import BadInput, Job
from toolbox.inference.predictor import Predictor
from toolbox.inference.tiling import is_out_of_memory
from toolbox.io.errors import UserError
from toolbox.io.images import MAX_PIXELS

_LARGE = 256 << 20
"""A result of more bytes is written before the next is computed, so that two are never held at once."""

_FAILURES = (ValueError, RuntimeError, MemoryError, TypeError, LookupError, ArithmeticError, struct.error)
"""What libraries raise beside OSError for files that they did not expect."""
CLIP = 8
"""Frames of a clip, where nobody says."""


def translate(
    predictor: Predictor,
    todo: Sequence[Job],
    *,
    masks: Mapping[str, str] | None = None,
    batch: int | None = None,
    quality: int = 95,
    max_pixels: int = MAX_PIXELS,
    done: Callable[[float], None] | None = None,
) -> Iterator[tuple[Job, str | None]]:
    """Translate pictures, up to `batch` of one size and kind together; yields each job with its problem, or None.

    Of a network that takes clips, the pictures of one folder, in the order of their names, are the frames, and `batch`
    (8) is the length of a clip; with others it is 1.

    The next picture is read and the last one written while one is computed. A bad file stops nothing.

    Args:
        masks: of a network with several sources, each one's file or folder (`Masks`).
        done: called, while a batch is computed, with the part of all pictures that is done, in [0, 1].
    """
    if batch is None:
        batch = CLIP if predictor.clip else 1
    if batch < 1:
        raise UserError(f"--batch {batch}: must be 1 or more")
    for name in predictor.beside:
        if name not in (masks or {}):
            raise UserError(
                f"--set {name}=FILE: is missing; the network takes one beside a picture, or a folder of them"
            )
    finished, beside = 0, [Masks(name, place) for name, place in (masks or {}).items()]
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        writing: list[tuple[Job, Future[None]]] = []

        def read(job: Job) -> Picture | Frames:
            if job.header and job.header.frames > 1:
                if beside:
                    raise UserError(f"{job.source}: holds several frames, and masks go with single pictures")
                return read_frames(job.source, max_pixels=max_pixels)
            picture = read_picture(job.source, max_pixels=max_pixels)
            check_values(job.target, picture)
            for line in picture.notes:
                predictor.note(line)
            return with_masks(picture, job.source, beside, predictor.channels) if beside else picture

        for group, problem in _groups(todo, reader, batch, read, by_folder=predictor.clip):
            results: list[Picture | Frames] = []
            if problem is None:
                before, share = finished, len(group) / len(todo)
                tell = None if done is None else lambda part, a=before, b=share: done(a / len(todo) + part * b)
                try:
                    results = _computed(predictor, [picture for _, picture in group], tell)
                except UserError as error:
                    problem = BadInput(error)
                except (RuntimeError, ValueError, MemoryError) as error:  # memory, impossible sizes, NaN
                    problem = _memory(error) or (str(error) or type(error).__name__).splitlines()[0]
            for job, future in writing:
                yield job, _problem_of(job, future)
            writing = []
            finished += len(group)
            for (job, _), result in zip(group, results, strict=False):
                writing.append((job, writer.submit(_write, job, result, quality)))
            if problem is not None:
                for job, _ in group:
                    named = problem if problem.startswith(str(job.source)) else f"{job.source}: {problem}"
                    yield job, BadInput(named) if isinstance(problem, BadInput) else named
            if sum(result.nbytes for result in results) > _LARGE:
                for job, future in writing:
                    yield job, _problem_of(job, future)
                writing = []
        for job, future in writing:
            yield job, _problem_of(job, future)


def _computed(
    predictor: Predictor, group: list[Picture | Frames], tell: Callable[[float], None] | None
) -> list[Picture | Frames]:
    """A batch of pictures, or the frames of one file, each by itself."""
    pictures = [each for each in group if isinstance(each, Picture)]
    if pictures:
        return [*predictor.translate(pictures, done=tell)]
    made: list[Picture | Frames] = []
    for frames in (each for each in group if isinstance(each, Frames)):
        results: list[Picture] = []
        for number, picture in enumerate(frames.pictures):
            results += predictor.translate([picture])
            if tell:
                tell((number + 1) / len(frames.pictures))
        made.append(frames.with_pictures(results))
    return made


def _write(job: Job, result: Picture | Frames, quality: int) -> None:
    if isinstance(result, Frames):
        write_frames(job.target, result, quality=quality)
    else:
        write_picture(job.target, result, quality=quality)


def _groups(
    todo: Sequence[Job],
    reader: ThreadPoolExecutor,
    batch: int,
    read: Callable[[Job], Picture | Frames],
    *,
    by_folder: bool,
) -> Iterator[tuple[list[tuple[Job, Picture | Frames]], str | None]]:
    """Pictures that can be computed together; or one that cannot be read, with the reason."""
    waiting: dict[object, list[tuple[Job, Picture | Frames]]] = defaultdict(list)
    nothing = Picture(np.empty((0, 0, 0), np.uint8))
    coming = reader.submit(read, todo[0]) if todo else None
    for number, job in enumerate(todo):
        assert coming is not None
        reading = coming
        wait([reading])
        if number + 1 < len(todo):
            coming = reader.submit(read, todo[number + 1])
        try:
            picture = reading.result()
        except UserError as error:
            yield [(job, nothing)], BadInput(error)
        except (OSError, *_FAILURES) as error:
            yield [(job, nothing)], f"{job.source}: cannot be read ({reason_of(error)})"
        else:
            if isinstance(picture, Frames):
                yield [(job, picture)], None
                continue
            kind = (picture.array.shape, picture.array.dtype, picture.alpha, job.source.parent if by_folder else None)
            waiting[kind].append((job, picture))
        full = [kind for kind, group in waiting.items() if len(group) >= batch]
        if not full and sum(map(len, waiting.values())) >= 2 * batch:  # many sizes: do not hold them all
            full = [next(iter(waiting))]
        for kind in full:
            yield waiting.pop(kind), None
    for group in waiting.values():
        yield group, None


def _problem_of(job: Job, writing: Future[None]) -> str | None:
    try:
        writing.result()
    except UserError as error:
        return BadInput(error)
    except OSError as error:
        return f"{job.target}: cannot be written ({error.strerror or error})"
    except _FAILURES as error:
        return f"{job.target}: cannot be written ({reason_of(error)})"
    return None


def reason_of(error: BaseException) -> str:
    """What an error says, on one line; its name where it says nothing."""
    return _memory(error) or " ".join(str(error).split())[:120] or type(error).__name__


def _memory(error: BaseException) -> str | None:
    """Where it was memory that ran out, what to do about it."""
    if not is_out_of_memory(error):
        return None
    said = " ".join(str(error).split())[:80]
    ways = "cut the picture into pieces, choose a smaller --outscale, or raise the limit if one is set (ulimit -v)"
    return f"memory ran out{f' ({said})' if said else ''}; {ways}"
