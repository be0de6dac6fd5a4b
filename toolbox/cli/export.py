"""`export CONFIG CHECKPOINT -o FILE`: write the trained generators alone, for `infer --weights` and for others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toolbox.cli.arguments import add_config_options, naming_the_file, parser, read_config, use_plugins


def main(arguments: Sequence[str] | None = None) -> int:
    """Export; returns the exit code."""
    made = parser("export", "Write the trained generators alone (their averages, if there are any) with a description.")
    made.add_argument("config", metavar="CONFIG", help="the YAML file it was trained with")
    made.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a checkpoint of that config")
    made.add_argument(
        "-o", dest="target", type=Path, required=True, metavar="FILE",
        help=".safetensors, or .pth for a plain state_dict; of several generators each has its name added",
    )  # fmt: skip
    add_config_options(made)
    options = made.parse_args(arguments)
    config = read_config(options)
    use_plugins(options.plugins, config)

    from toolbox.check import check

    check(config)

    from toolbox.console import console
    from toolbox.export import export

    with naming_the_file(config):
        files = export(config, options.checkpoint, options.target)
    for file in files:
        console.print(f"{file} ({file.stat().st_size / 1e6:.1f} MB), described in {file.name}.json", soft_wrap=True)
    return 0
