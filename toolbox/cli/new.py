"""`new NAME --task TASK --data FOLDER`: looks at own pictures, and writes a config that learns from them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolbox.cli.arguments import parser, use_plugins
from toolbox.io.errors import UserError

if TYPE_CHECKING:
    from toolbox.assembly.own import Made

TASKS = ("restore", "enlarge", "finetune", "style", "joint", "translate")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write NAME.yaml and print what comes next; returns 0."""
    options = arguments_of().parse_args(arguments)
    if (options.task is None) == (options.like is None):
        raise UserError(f"give --task ({', '.join(TASKS)}), or --like RECIPE, and not both")
    if options.scale is not None and options.scale < 1:
        raise UserError(f"--scale {options.scale}: give a whole number, 1 or more")
    if options.minutes is not None and not 0 < options.minutes < float("inf"):
        raise UserError(f"--minutes {options.minutes}: give how long the training may take, above 0")
    if options.minutes is not None and options.like is not None:
        raise UserError(
            "--minutes: --like keeps its recipe's length; leave one of them out, or change train_cfg.max_iters"
        )
    use_plugins(options.plugins)
    from toolbox.assembly.own import SCHEMA, Wish, new_config
    from toolbox.io.console import console

    wish = Wish(options.name, options.data, options.task, options.style, options.like, options.scale, options.minutes)
    made = new_config(wish)
    _write_schema(made.file.with_name(SCHEMA))
    for line in made.told:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    console.print()
    console.print(f"{made.file} is written. Next:", soft_wrap=True, markup=False, highlight=False)
    for line in made.commands:
        console.print(f"  {line}", soft_wrap=True, markup=False, highlight=False)
    if not options.untimed and not made.missing and options.minutes is None:
        _tell_time(made, fits=options.like is None)
    return 0


def _tell_time(made: Made, *, fits: bool) -> None:
    """Say how long the training takes: last of all, so that who does not want to wait for it has all the rest."""
    from toolbox.assembly.own_time import time_told
    from toolbox.config import load_config
    from toolbox.io.console import console

    console.print()
    console.print("Taking a few steps to tell how long it trains (--untimed goes without) …", soft_wrap=True)
    told = time_told(load_config(made.file), made.pixels, made.held, fits=fits)
    console.print(told, soft_wrap=True, markup=False, highlight=False)


def _write_schema(file: Path) -> None:
    """Write what editors know configs by; raises NotWritten where the disk refuses."""
    from toolbox.benchmark.grid_schema import schema_text
    from toolbox.io.files import replace_text

    replace_text(file, schema_text())


def arguments_of() -> argparse.ArgumentParser:
    """The command's options."""
    made = parser("new", "Look at your own pictures and write a config, NAME.yaml, that learns from them.")
    made.add_argument("name", metavar="NAME", help="of the config: NAME.yaml is written into this folder")
    made.add_argument("--task", choices=TASKS, help="what is to be learned")
    made.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the pictures, or pairs of them")
    made.add_argument(
        "--style", type=Path, metavar="FOLDER|FILE",
        help="a picture of the style, or several by one hand; of translate, the pictures of the other kind",
    )  # fmt: skip
    made.add_argument("--like", metavar="RECIPE", help="instead of --task: any config, shipped or your own")
    made.add_argument("--untimed", action="store_true", help="do not take a few steps to tell how long it will train")
    made.add_argument("--minutes", type=float, metavar="M", help="as many iterations as take so long on this machine")
    made.add_argument("--scale", type=int, metavar="N", help="how many times larger (4)")
    return made
