"""`infer INPUT… [-o DIR] [--weights FILE | --config CONFIG [--checkpoint FILE]]`: a trained network over pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from toolbox.cli.arguments import add_config_options, parser, read_config, use_plugins
from toolbox.config import naming_the_file
from toolbox.io.errors import UserError
from toolbox.weights.shipped import DEFAULT


def main(arguments: Sequence[str] | None = None) -> int:
    """Translate every picture; returns 0, or 1 if some could not be translated."""
    options = _parser().parse_args(arguments)
    _one_of_two_ways(options)
    config = read_config(options) if options.config else None
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

    from toolbox.engine.memory import APPLYING, bound_kernels, keep_freed_memory
    from toolbox.inference import Options, blend_of, chosen_of, jobs, load, translate, usable_device
    from toolbox.io.console import console, errors

    keep_freed_memory()
    bound_kernels(APPLYING)
    how = Options(
        tile=options.tile,
        overlap=options.tile_overlap,
        precision=options.precision,
        alpha=options.alpha,
        outscale=options.outscale,
        tileable=options.tileable,
        white=options.white,
    )
    if not 1 <= options.quality <= 100:
        raise UserError(f"--quality {options.quality}: must be from 1 to 100")
    blended = blend_of(options.blend) if options.blend else None
    chosen = chosen_of(options.style, options.strength, options.seed, options.set)
    found = jobs(options.inputs, options.folder, options.suffix, options.format)
    todo = [job for job in found if not (options.skip_existing and job.target.exists())]
    device = usable_device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))

    def note(line: str) -> None:
        errors.print(f"note: {line}", markup=False, soft_wrap=True)

    if not options.weights and not config:
        options.weights = Path(DEFAULT)
        note(f"nobody named a network: this is {DEFAULT}, which comes with the toolbox (models list --long)")
    with naming_the_file(config) if config else nullcontext():
        predictor = load(
            options.weights, config=config, checkpoint=options.checkpoint, output=options.output,
            chosen=chosen, blended=blended, device=device, options=how, note=note,
        )  # fmt: skip
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    times = (TextColumn("done"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    problems = []
    with Progress(*columns, *times, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("translating", total=1.0)
        steps = translate(
            predictor, todo, masks=predictor.masks, batch=options.batch, quality=options.quality,
            done=lambda part: progress.update(task, completed=part),
        )  # fmt: skip
        for _, problem in steps:
            if problem:
                problems.append(problem)
                errors.print(f"error: {problem}", markup=False, soft_wrap=True)
    console.print(f"{len(todo) - len(problems)} of {len(found)} images written to {options.folder}")
    if len(found) > len(todo):
        console.print(f"{len(found) - len(todo)} were there already")
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    made = parser("infer", "Apply a trained network to images; a file that cannot be read is named and passed over.")
    add = made.add_argument
    add("inputs", nargs="+", type=Path, metavar="INPUT", help="images or folders")
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
        help=f"a file that `export` wrote, one published elsewhere, or a model's name ({DEFAULT}: the default)",
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
    chosen = made.add_argument_group("the style, or whatever else a model lets you choose")
    add = chosen.add_argument
    add("--style", type=Path, metavar="FILE", help="a picture of it")
    add("--strength", type=float, metavar="X", help="from 0, the input's own style, to 1 (1)")
    add("--seed", type=int, metavar="N", help="of a random style, without --style (0)")
    add(
        "--set", action="append", default=[], metavar="NAME=VALUE",
        help="a condition by its name: domain=2; of a model that takes a mask, mask=FILE or a folder with as many",
    )  # fmt: skip
    files = made.add_argument_group("files")
    add = files.add_argument
    add("--format", default="auto", metavar="auto|png|jpg|webp|tif", help="of the results; auto: as each input's")
    add("--quality", type=int, default=95, metavar="N", help="of JPEG and WebP, 1 to 100 (95)")
    add("--suffix", default="", help="added to each file's name")
    add("--skip-existing", action="store_true", help="pass over results that are there already")
    pixels = made.add_argument_group("pixels")
    add = pixels.add_argument
    add(
        "--outscale",
        type=float,
        metavar="S",
        help="size of the result over the input's (3.5); bicubic from the network's",
    )
    add("--alpha", metavar="network|resize|drop", help="how transparency is enlarged (network; of a painter, resize)")
    add("--tileable", action="store_true", help="borders wrap around: a texture that tiles still does")
    add("--white", type=float, metavar="V", help="the value that is white: 4095 for 12 bits in 16; the type's highest")
    speed = made.add_argument_group("memory and speed")
    add = speed.add_argument
    add("--tile", type=_tile, default=None, metavar="N|auto|0", help="side of a tile; 0: never; auto: as memory allows")
    add(
        "--tile-overlap",
        type=int,
        metavar="N",
        help="pixels a tile sees around itself; by default as the network needs",
    )
    add(
        "--batch", type=int, metavar="N",
        help="pictures of equal size computed together (1); of a model that takes clips, the frames of one (8)",
    )  # fmt: skip
    add(
        "--precision", default="fp32", metavar="fp32|bf16|fp16", help="bf16 and fp16 are faster where hardware has them"
    )
    add("--device", help="cpu, cuda, cuda:1; a GPU if there is one")
    return made


def _tile(text: str) -> int | None:
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError:
        raise UserError(f"--tile {text}: must be auto, 0 (never) or the side of a tile in pixels") from None


def _one_of_two_ways(options: argparse.Namespace) -> None:
    """A config, with its checkpoint where it names no weights itself, or weights alone: never both."""
    others = [name for name in ("config", "checkpoint", "cfg_options") if getattr(options, name)]
    if options.weights and others:
        flag = f"--{others[0].replace('_', '-')}"
        raise UserError(f"{flag}: goes with a checkpoint; --weights names everything by itself, leave {flag} out")
    if not options.config and others:
        raise UserError("--config: is missing; name --config with --checkpoint, or exported --weights")
