"""`export (CONFIG [CHECKPOINT] | --weights FILE) -o FILE`: trained generators alone, for `infer` and for others."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from toolbox.cli.arguments import add_config_options, parser, read_config, use_plugins
from toolbox.config import naming_the_file
from toolbox.io.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Export; returns the exit code."""
    made = parser("export", "Write the trained generators alone (their averages, if there are any) with a description.")
    made.add_argument("config", nargs="?", metavar="CONFIG", help="the YAML file it was trained with")
    made.add_argument(
        "checkpoint",
        nargs="?",
        type=Path,
        metavar="CHECKPOINT",
        help="a checkpoint of that config; without: its load_from",
    )
    made.add_argument(
        "--weights", type=Path, metavar="FILE",
        help="instead of both: a published file of any known format (.pth, .safetensors, ncnn), to be written anew",
    )  # fmt: skip
    made.add_argument(
        "-o", dest="target", type=Path, required=True, metavar="FILE",
        help=".safetensors, or .pth for a plain state_dict; of several generators each has its name added",
    )  # fmt: skip
    made.add_argument(
        "--layout", metavar="NAME",
        help="write the keys of a published layout (basicsr, xinntao, old-arch, mmagic, cyclegan) instead of the "
        "network's own; a .pth of basicsr holds 'params', as Real-ESRGAN's scripts and spandrel read it",
    )  # fmt: skip
    made.add_argument(
        "--half", action="store_true",
        help="write float16, half as many bytes; the network still computes in float32 where it is applied",
    )  # fmt: skip
    add_config_options(made)
    options = made.parse_args(arguments)
    if options.weights:
        return _translate(options)
    if not options.config:
        raise UserError("export: name CONFIG and CHECKPOINT, or --weights FILE")
    config = read_config(options)
    use_plugins(options.plugins, config)

    from toolbox.assembly.check import check

    check(config)

    from toolbox.assembly.export import export
    from toolbox.io.console import console

    with naming_the_file(config):
        files = export(config, options.checkpoint, options.target, layout=options.layout, half=options.half)
    for file in files:
        console.print(f"{file} ({file.stat().st_size / 1e6:.1f} MB), described in {file.name}.json", soft_wrap=True)
    return 0


def _translate(options: argparse.Namespace) -> int:
    given = [name for name in ("config", "cfg_options") if getattr(options, name)]
    if given:
        raise UserError("--weights: names everything by itself; leave CONFIG, CHECKPOINT and --cfg-options out")
    use_plugins(options.plugins)

    from toolbox.io.console import console
    from toolbox.weights.published_layout import translate_file

    network = translate_file(options.weights, options.target, layout=options.layout, half=options.half)
    size = options.target.stat().st_size / 1e6
    console.print(f"{options.target} ({size:.1f} MB): {type(network).__name__}", soft_wrap=True)
    return 0
