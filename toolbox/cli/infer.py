"""`infer INPUT… -o DIR --config CONFIG --checkpoint FILE`: apply a trained network to images and folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toolbox.cli.arguments import add_config_options, naming_the_file, parser, read_config, use_plugins


def main(arguments: Sequence[str] | None = None) -> int:
    """Translate every image; returns 0, or 1 if some could not be translated."""
    made = parser("infer", "Apply a trained network to images; a file that cannot be read is named and passed over.")
    made.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help="images or folders")
    made.add_argument(
        "-o", dest="folder", type=Path, required=True, metavar="DIR", help="where results are written, as PNG"
    )
    made.add_argument("--config", required=True, metavar="CONFIG", help="the YAML file the model was trained with")
    made.add_argument("--checkpoint", required=True, metavar="FILE", help="a checkpoint of that config")
    made.add_argument("--output", metavar="NAME", help="which of the model's outputs (fake_a); the first by default")
    made.add_argument("--suffix", default="", help="added to each file's name")
    made.add_argument("--device", help="cpu, cuda, cuda:1; a GPU if there is one")
    add_config_options(made)
    options = made.parse_args(arguments)
    config = read_config(options)
    use_plugins(options.plugins, config)

    from toolbox.check import check

    check(config)

    import torch
    from rich.progress import track

    from toolbox.console import console, errors
    from toolbox.inference import jobs, load_algorithm, translate, usable_device

    todo = jobs(options.inputs, options.folder, options.suffix)
    device = usable_device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    with naming_the_file(config):
        algorithm = load_algorithm(config, options.checkpoint, device=device)
    problems = []
    steps = translate(algorithm, todo, output=options.output)
    for _, problem in track(steps, "translating", total=len(todo), console=console, disable=not console.is_terminal):
        if problem:
            problems.append(problem)
            errors.print(f"error: {problem}", markup=False, soft_wrap=True)
    console.print(f"{len(todo) - len(problems)} of {len(todo)} images written to {options.folder}")
    return 1 if problems else 0
