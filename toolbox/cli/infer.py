"""`infer INPUT… [-o DIR] [--weights FILE | --config CONFIG [--checkpoint FILE]]`: a network over pictures and films."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from signal import SIGINT

from toolbox.cli.arguments import add_choice, add_config_options, parser, read_config, use_plugins
from toolbox.cli.pixel_options import add_pixel_options, passage_of
from toolbox.cli.video_options import add_video_options, settings_of, translate_films
from toolbox.config import naming_the_file
from toolbox.inference.chosen import chosen_of, refuse_unknown_style
from toolbox.inference.described import described_labels, described_scale
from toolbox.inference.formats import NAMES
from toolbox.inference.planning import BadInput, Plan, make_folder, plan, refuse
from toolbox.inference.sizes import problem_of_size
from toolbox.inference.video.settings import Settings
from toolbox.io.console import console, errors
from toolbox.io.errors import Stopped, UserError
from toolbox.io.images import MAX_PIXELS
from toolbox.io.progress import ProgressLines
from toolbox.weights.models import weights_path
from toolbox.weights.shipped import ENLARGER, PAINTER, shipped_models


def main(arguments: Sequence[str] | None = None) -> int:
    """Translate every picture; returns 0, 1 if some could not be translated, or 2 if none by what the inputs are."""
    options = _parser().parse_args(arguments)
    _one_of_two_ways(options)
    if not 1 <= options.quality <= 100:
        raise UserError(f"--quality {options.quality}: must be from 1 to 100")
    config = read_config(options) if options.config else None
    chosen = chosen_of(options.style, options.strength, options.seed, options.set)
    how, films = passage_of(options), settings_of(options)
    unnamed = not options.weights and not config
    if unnamed:
        options.weights = Path(PAINTER if chosen or options.output else ENLARGER)
    _files_are_there(options)
    todo = _todo(options, films)
    if not todo.jobs:
        return 2 if todo.refused else 0
    use_plugins(options.plugins, config)
    if config:
        from toolbox.assembly.check import check

        check(config)

    from contextlib import nullcontext

    import torch
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from toolbox.assembly.machine import units_of_bfloat16
    from toolbox.engine.memory import APPLYING, bound_kernels, keep_freed_memory
    from toolbox.inference import blend_of, load, translate, usable_device
    from toolbox.inference.memory import addresses_left, free_memory
    from toolbox.inference.sizes import note_of_disk

    keep_freed_memory()
    bound_kernels(APPLYING)
    blended = blend_of(options.blend) if options.blend else None
    device = usable_device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))

    make_folder(options.folder)
    if unnamed:
        other = "" if chosen else "; --style van-gogh paints, and `models list` shows more"
        note(f"nobody named a network: this is {options.weights}{other}")
    with naming_the_file(config) if config else nullcontext():
        predictor = load(
            options.weights, config=config, checkpoint=options.checkpoint, output=options.output,
            chosen=chosen, blended=blended, device=device, options=how, note=note,
        )  # fmt: skip
    if how.precision == "bf16" and str(device) == "cpu" and not units_of_bfloat16():
        note("--precision bf16: this processor only emulates it, which takes longer than fp32")
    headers = [job.header for job in todo.jobs if job.header]
    predictor.server.plan(sum(each.width * each.height * each.frames * predictor.channels for each in headers))
    scale, before = options.outscale or predictor.scale, len(todo.refused)
    free = min(free_memory(torch.device("cpu")), *addresses_left(), sys.maxsize)
    refuse(todo, lambda job: problem_of_size(job, scale, free))
    _tell(todo.refused[before:], note_of_disk(todo.jobs, scale, options.folder))
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    times = (TextColumn("done"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    problems = list(todo.refused)
    lines = ProgressLines("infer", lambda line: console.print(line, markup=False, soft_wrap=True))
    pictures, moving = [[job for job in todo.jobs if bool(job.film) == kind] for kind in (False, True)]
    with Progress(*columns, *times, console=console, disable=not (console.is_terminal and pictures)) as progress:
        task = progress.add_task("translating", total=1.0)
        steps = translate(
            predictor, pictures, masks=predictor.masks, batch=options.batch, quality=options.quality,
            max_pixels=options.max_pixels,
            done=lambda part: progress.update(task, completed=part) if console.is_terminal else lines(part),
        )  # fmt: skip
        try:
            for _, problem in steps:
                if problem:
                    problems.append(problem)
                    errors.print(f"error: {problem}", markup=False, soft_wrap=True)
        except KeyboardInterrupt as stop:
            more = "the pictures that are written are whole, and --skip-existing goes on with the others"
            raise Stopped(getattr(stop, "number", SIGINT), more) from None
    problems += translate_films(predictor, moving, films, options, note)
    made = len(todo.jobs) + len(todo.refused) - len(problems)
    what = "images" if not moving else "films" if not pictures else "images and films"
    console.print(f"{made} of {todo.count} {what} written to {options.folder}")
    if todo.there:
        console.print(f"{todo.there} were there already")
    theirs = all(isinstance(each, BadInput) for each in problems[len(todo.refused) :])
    return 0 if not problems else 2 if made == 0 and theirs else 1


def _todo(options: argparse.Namespace, films: Settings) -> Plan:
    """What is to be done, as far as headers, names and a known scale tell; what is not is said at once."""
    if options.max_pixels < 1:
        raise UserError(f"--max-pixels {options.max_pixels}: must be 1 or more")
    made = plan(
        options.inputs, options.folder, options.suffix, options.format,
        drops_alpha=options.alpha == "drop", max_pixels=options.max_pixels, films=films,
    )  # fmt: skip
    scale = options.outscale or (None if options.config else described_scale(options.weights, options.output))
    if scale:
        refuse(made, lambda job: problem_of_size(job, scale))
    if options.skip_existing:
        made.pass_over_existing()
    _tell(made.refused, *made.notes)
    if not made.jobs and not made.refused:
        console.print(f"0 of {made.count} images written to {options.folder}")
        if made.there:
            console.print(f"{made.there} were there already")
    return made


def _tell(problems: Sequence[str], *notes: str | None) -> None:
    for problem in problems:
        errors.print(f"error: {problem}", markup=False, soft_wrap=True)
    for line in notes:
        if line:
            note(line)


def note(line: str) -> None:
    """Say on standard error what a user should know."""
    errors.print(f"note: {line}", markup=False, soft_wrap=True)


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "infer", "Apply a trained network to images and films; a file that cannot be read is named and passed over."
    )
    add = made.add_argument
    add(
        "inputs",
        nargs="+",
        type=Path,
        metavar="INPUT",
        help="images, films, numbered pictures (frame_%%05d.png) or folders",
    )
    add(
        "-o",
        dest="folder",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="where results are written (results)",
    )
    network = made.add_argument_group("the network")
    add = network.add_argument
    add(
        "--weights",
        type=Path,
        metavar="FILE|NAME",
        help=f"a file that `export` wrote, one published elsewhere, or a model's name "
        f"({ENLARGER}; {PAINTER} where a style is chosen)",
    )
    add("--config", metavar="CONFIG", help="instead: the YAML file the model was trained with")
    add("--checkpoint", metavar="FILE", help="and a checkpoint of that config; without: its load_from")
    add("--output", metavar="NAME", help="which of the model's outputs (fake_a); the first by default")
    add(
        "--blend",
        metavar="FILE=SHARE",
        help="blend in another network of the same shape: FILE=0.3 is three parts of ten of that file's",
    )
    add_config_options(made)
    add_choice(made.add_argument_group("the style, or whatever else a model lets you choose"))
    files = made.add_argument_group("files")
    add = files.add_argument
    known = ", ".join(NAMES)
    add("--format", default="auto", metavar="auto|NAME", help=f"of the results: {known}; auto: as each input's")
    add("--quality", type=int, default=95, metavar="N", help="of JPEG, WebP and AVIF, 1 to 100 (95)")
    add(
        "--max-pixels", type=int, default=MAX_PIXELS, metavar="N",
        help=f"refuse larger inputs, which may be files made to fill memory ({MAX_PIXELS:,})",
    )  # fmt: skip
    add("--suffix", default="", help="added to each file's name")
    add("--skip-existing", action="store_true", help="pass over results that are there already")
    add_video_options(made)
    add_pixel_options(made)
    return made


def _files_are_there(options: argparse.Namespace) -> None:
    """Raise UserError for a file that is not there, before torch is imported to read it."""
    if options.weights and str(options.weights) not in shipped_models():
        weights_path(options.weights)
    if options.checkpoint and not Path(options.checkpoint).exists():
        raise UserError(f"{options.checkpoint}: there is no such checkpoint")
    may_be_name = options.config and not Path(options.style or "").suffix  # which building the model will tell
    undescribed = options.weights and options.weights.suffix and not _described(options.weights)
    if options.style and not may_be_name and not undescribed and not Path(options.style).exists():
        refuse_unknown_style(options.style, described_labels(options.weights, options.output, "style"))


def _described(weights: Path) -> bool:
    return weights.with_name(f"{weights.name}.json").is_file()


def _one_of_two_ways(options: argparse.Namespace) -> None:
    """A config, with its checkpoint where it names no weights itself, or weights alone: never both."""
    others = [name for name in ("config", "checkpoint", "cfg_options") if getattr(options, name)]
    if options.weights and others:
        flag = f"--{others[0].replace('_', '-')}"
        raise UserError(f"{flag}: goes with a checkpoint; --weights names everything by itself, leave {flag} out")
    if not options.config and others:
        raise UserError("--config: is missing; name --config with --checkpoint, or exported --weights")
