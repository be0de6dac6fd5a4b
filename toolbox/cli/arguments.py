"""Arguments that several commands share, and the config they lead to."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

from toolbox.cli.parsers import Parser
from toolbox.config import Config, check_structure, find_config, load_config, parse_option
from toolbox.io.errors import UserError
from toolbox.plugins.manager import PluginManager, use


def parser(command: str, description: str) -> argparse.ArgumentParser:
    """A parser that knows `-p`."""
    made = Parser(prog=f"gan-toolbox {command}", description=description)
    made.add_argument(
        "-p", dest="plugins", action="append", default=[], metavar="NAME",
        help="use a plugin: its name, a module or a .py file; -p no:NAME leaves one out",
    )  # fmt: skip
    return made


def add_config_options(made: argparse.ArgumentParser) -> None:
    """Add the option that changes a config."""
    made.add_argument(
        "--cfg-options", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
        help="change the config: model.generator.blocks=8 optim_wrapper.generator.optimizer.lr=1e-4",
    )  # fmt: skip


def add_choice(made: argparse._ArgumentGroup, more: str = "") -> None:
    """Add the options that choose a style, its strength, and whatever else an output lets choose."""
    add = made.add_argument
    add(
        "--style", metavar="NAME|FILE",
        help="one that the model has learned, or several with their shares: van-gogh:0.7,ukiyo-e:0.3; of a model that "
        f"takes any style, a picture of it{more and '; ' + more}",
    )  # fmt: skip
    add("--strength", type=float, metavar="X", help="from 0, the input's own style, to 1 (1)")
    add("--seed", type=int, metavar="N", help="of a random style, without --style (0)")
    add(
        "--set", action="append", default=[], metavar="NAME=VALUE",
        help="a condition by its name: domain=2; of a model that takes a mask, mask=FILE or a folder with as many",
    )  # fmt: skip


def add_run_options(made: argparse.ArgumentParser) -> None:
    """Add the options of commands that run on a data set: where they write, and on how many processes."""
    made.add_argument("--work-dir", metavar="DIR", help="where checkpoints, logs and samples go")
    made.add_argument("--launcher", choices=("none", "pytorch", "slurm", "mpi"), help="how processes are started")


def read_config(options: argparse.Namespace) -> Config:
    """Load the config a command names, changed by its options; checked as far as that goes without torch."""
    changes: dict[str, Any] = dict(parse_option(option) for option in options.cfg_options)
    for name in ("work_dir", "launcher"):
        if getattr(options, name, None) is not None:
            changes[name] = getattr(options, name)
    config = load_config(find_config(options.config), changes)
    check_structure(config)
    if config.data.get("launcher") == "pytorch" and "RANK" not in os.environ:
        raise UserError("--launcher pytorch: no process was launched; start with torchrun --nproc_per_node=2 …")
    return config


def use_plugins(names: Sequence[str], config: Config | None = None) -> None:
    """Discover the plugins of this process, with those that the command line and the config ask for."""
    use(PluginManager(names, needed=(config.data.get("plugins") or []) if config else []))
