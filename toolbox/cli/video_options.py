"""The options of `infer` for films, and the films' turn."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from signal import SIGINT
from typing import TYPE_CHECKING

from toolbox.inference.planning import BadInput, Job
from toolbox.inference.video.settings import DAMAGED, TEMPORAL, Settings
from toolbox.io.console import console, errors
from toolbox.io.errors import RunFailed, Stopped, UserError
from toolbox.io.progress import ProgressLines
from toolbox.io.visible import visible
from toolbox.video.codecs import CODECS, CONTAINERS

if TYPE_CHECKING:
    from toolbox.inference.predictor import Predictor
    from toolbox.inference.video.progress import Progress


def add_video_options(made: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = made.add_argument_group("films").add_argument
    add("--codec", metavar="NAME", help=f"{', '.join(CODECS)}; by default the film's own, or one that keeps its bits")
    known = ", ".join(dict.fromkeys(each.removeprefix(".") for each in CONTAINERS))
    add("--container", metavar="NAME", help=f"{known}, or frames: a folder of pictures; by default the film's own")
    add("--crf", type=float, metavar="N", help="quality of h264 (18), hevc (20) and av1 (26); smaller is better")
    add("--encoder-preset", metavar="NAME", help="speed of the encoder (medium; of av1, 13 to 0; of prores, hq)")
    add("--from", dest="first", type=_seconds, metavar="TIME", help="begin there: seconds, or 1:02:03.5")
    add("--to", dest="last", type=_seconds, metavar="TIME", help="end before it")
    add("--preview", action="store_true", help="ten seconds alone, before and after side by side")
    add(
        "--temporal", type=float, default=TEMPORAL, metavar="A",
        help=f"against flicker: how much of the frame before is blended in, 0 to 1 ({TEMPORAL:g}; 0: none)",
    )  # fmt: skip
    add("--damaged", default="replace", metavar="|".join(DAMAGED), help="a damaged frame's neighbour, or end (replace)")
    add("--drop-hdr", action="store_true", help="leave out what the codec cannot hold of an HDR film's numbers")
    add("--rate", type=float, default=24.0, metavar="N", help="frames a second of numbered pictures (24)")


def settings_of(options: argparse.Namespace) -> Settings:
    """What was chosen for films. Raises UserError for a value that is none."""
    return Settings(
        codec=options.codec,
        container=options.container,
        crf=options.crf,
        preset=options.encoder_preset,
        first=options.first,
        last=options.last,
        preview=options.preview,
        temporal=options.temporal,
        damaged=options.damaged,
        drop_hdr=options.drop_hdr,
        rate=options.rate,
    )


def translate_films(
    predictor: Predictor, jobs: Sequence[Job], settings: Settings, options: argparse.Namespace,
    note: Callable[[str], None],
) -> list[str]:  # fmt: skip
    """Translate films one after another; returns the problems, which are told as they come.

    Raises:
        Stopped: somebody asked to stop; the same command goes on.
    """
    if not jobs:
        return []
    from rich.progress import BarColumn, Progress, TextColumn

    from toolbox.inference.files import reason_of
    from toolbox.inference.video.translate import FilmTranslator

    problems = []
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), console=console,
        disable=not console.is_terminal,
    )  # fmt: skip
    with bar:
        for job in jobs:
            assert job.film is not None
            lines = ProgressLines(f"infer: {job.source.name}", lambda line: console.print(line, soft_wrap=True))
            task = bar.add_task(visible(job.source.name), total=1.0, said="")

            def told(progress: Progress_, task: object = task, lines: ProgressLines = lines) -> None:
                if console.is_terminal:
                    bar.update(task, completed=progress.part, said=progress.described())  # pyright: ignore
                else:
                    lines(progress.part, progress.described())

            translator = FilmTranslator(
                predictor, settings, note, told, batch=options.batch, max_pixels=options.max_pixels
            )
            try:
                translator(job.source, job.target, job.film)
            except KeyboardInterrupt as stop:
                more = f"what is done of {job.source.name} is kept, and the same command goes on with it"
                raise Stopped(getattr(stop, "number", SIGINT), more) from None
            except UserError as error:
                problems.append(BadInput(_named(job, str(error))))
            except RunFailed as error:
                problems.append(_named(job, str(error)))
            except (OSError, RuntimeError, ValueError, MemoryError) as error:
                problems.append(_named(job, reason_of(error)))
            else:
                bar.update(task, completed=1.0)
                continue
            errors.print(f"error: {problems[-1]}", markup=False, soft_wrap=True)
    return problems


def _named(job: Job, problem: str) -> str:
    return problem if str(job.source) in problem or str(job.target) in problem else f"{job.source}: {problem}"


def _seconds(text: str) -> float:
    """Seconds of `90`, `1:30` or `1:02:03.5`."""
    try:
        seconds = 0.0
        for part in text.split(":"):
            seconds = seconds * 60 + float(part)
        if len(text.split(":")) > 3 or not 0 <= seconds < 1e7:
            raise ValueError
    except ValueError:
        raise UserError(f"{text}: is no time; write seconds (90), or hours, minutes and seconds (1:02:03.5)") from None
    return seconds


if TYPE_CHECKING:
    Progress_ = Progress
