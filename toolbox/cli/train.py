"""`train CONFIG`: train a model, or show with `--dry-run` what would be trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import yaml

from toolbox.cli.arguments import add_config_options, add_run_options, parser, read_config, use_plugins
from toolbox.config import Config, naming_the_file
from toolbox.io.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; returns the exit code."""
    made = parser("train", "Train a model from a YAML config.")
    made.add_argument("config", metavar="CONFIG", help="a YAML file, or the name of a shipped one: demo/style.yaml")
    add_config_options(made)
    add_run_options(made)
    made.add_argument(
        "--resume", nargs="?", const="auto", metavar="CHECKPOINT",
        help="continue from a checkpoint, or from the newest in the work dir; `weights`: begin anew with its weights",
    )  # fmt: skip
    made.add_argument("--amp", action="store_true", help="mixed precision: bfloat16 where it is safe")
    made.add_argument(
        "--stop-at", type=int, metavar="N", help="save and stop after iteration N; --resume continues the same run"
    )
    made.add_argument("--dry-run", action="store_true", help="print the merged config and the networks, and stop")
    options = made.parse_args(arguments)
    if options.stop_at is not None and options.stop_at < 1:
        raise UserError(f"--stop-at {options.stop_at}: give an iteration, 1 or more")
    config = read_config(options)
    if may_be_restarted() and not options.resume:
        options.resume = "auto"
    use_plugins(options.plugins, config)
    if options.dry_run:
        from toolbox.assembly.check import check

        check(config)
        with naming_the_file(config):
            show(config)
        return 0

    from toolbox.cli.reported import train

    page = train(config, resume=options.resume, amp=options.amp, stop_at=options.stop_at)
    if page is not None:
        from toolbox.io.console import console

        text = "is for a browser: curves, samples, and the commands that apply and export what was trained"
        console.print(f"{page} {text}", soft_wrap=True)
    return 0


def may_be_restarted() -> bool:
    """Whether torchrun started the processes anew after one of them died.

    Of several machines, only the one where it died counts the restart: there every start may be one, and all machines
    must decide alike.
    """
    machines = int(os.environ.get("GROUP_WORLD_SIZE", 1)) if "TORCHELASTIC_RUN_ID" in os.environ else 1
    return machines > 1 or int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0


def show(config: Config) -> None:
    """Print the merged config and the assembled networks with their parameters and their cost."""
    from rich.table import Table

    from toolbox.assembly.build import seeded_algorithm
    from toolbox.assembly.compatibility import check_combination
    from toolbox.io.console import console
    from toolbox.training.macs import count_macs

    console.print_lines(yaml.safe_dump(config.data, sort_keys=False, allow_unicode=True))
    algorithm: Any = seeded_algorithm(config)
    check_combination(config.data, algorithm)
    table = Table(title=type(algorithm).__name__)
    for column in ("network", "type", "parameters", "GMACs", "trained by"):
        table.add_column(column, justify="right" if column in ("parameters", "GMACs") else "left")
    for slot in (*algorithm.networks, *algorithm.judged):
        network = getattr(algorithm, slot)
        count, size = sum(p.numel() for p in network.parameters()), getattr(network, "image_size", 128)
        macs = count_macs(network, size=size)
        cost = "" if macs is None else f"{macs / 1e9:.3f} at {size}²"
        role = str(algorithm.variants[slot]) if slot in algorithm.judged else ", ".join(algorithm.losses)
        if not any(p.requires_grad for p in network.parameters()):
            role = "frozen"
        table.add_row(slot, type(network).__name__, f"{count:,}", cost, " ".join(role.split()))
    console.print(table)
