"""`infer INPUT… -o DIR (--config CONFIG --checkpoint FILE | --weights FILE)`: apply a trained network to images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from toolbox.cli.arguments import add_config_options, naming_the_file, parser, read_config, use_plugins
from toolbox.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Translate every image; returns 0, or 1 if some could not be translated."""
    made = parser("infer", "Apply a trained network to images; a file that cannot be read is named and passed over.")
    made.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help="images or folders")
    made.add_argument(
        "-o", dest="folder", type=Path, required=True, metavar="DIR", help="where results are written, as PNG"
    )
    made.add_argument("--config", metavar="CONFIG", help="the YAML file the model was trained with")
    made.add_argument("--checkpoint", metavar="FILE", help="a checkpoint of that config")
    made.add_argument("--weights", type=Path, metavar="FILE", help="instead of both: a file that `export` wrote")
    made.add_argument("--output", metavar="NAME", help="which of the model's outputs (fake_a); the first by default")
    made.add_argument("--suffix", default="", help="added to each file's name")
    made.add_argument("--device", help="cpu, cuda, cuda:1; a GPU if there is one")
    add_config_options(made)
    options = made.parse_args(arguments)
    _one_of_two_ways(options)
    config = None if options.weights else read_config(options)
    use_plugins(options.plugins, config)
    if config:
        from toolbox.check import check

        check(config)

    import torch
    from rich.progress import track

    from toolbox.console import console, errors
    from toolbox.inference import jobs, load_algorithm, translate, usable_device

    todo = jobs(options.inputs, options.folder, options.suffix)
    device = usable_device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if config:
        with naming_the_file(config):
            algorithm = load_algorithm(config, options.checkpoint, device=device)
    else:
        from toolbox.export import load_exported

        algorithm = load_exported(options.weights, output=options.output, device=device)
    problems = []
    steps = translate(algorithm, todo, output=options.output)
    for _, problem in track(steps, "translating", total=len(todo), console=console, disable=not console.is_terminal):
        if problem:
            problems.append(problem)
            errors.print(f"error: {problem}", markup=False, soft_wrap=True)
    console.print(f"{len(todo) - len(problems)} of {len(todo)} images written to {options.folder}")
    return 1 if problems else 0


def _one_of_two_ways(options: argparse.Namespace) -> None:
    """A config with its checkpoint, or exported weights: never both, never half."""
    others = [name for name in ("config", "checkpoint", "cfg_options") if getattr(options, name)]
    if options.weights and others:
        flag = f"--{others[0].replace('_', '-')}"
        raise UserError(f"{flag}: goes with a checkpoint; --weights names everything by itself, leave {flag} out")
    missing = [name for name in ("config", "checkpoint") if not getattr(options, name)]
    if not options.weights and missing:
        raise UserError(f"--{missing[0]}: is missing; name --config and --checkpoint, or exported --weights")
