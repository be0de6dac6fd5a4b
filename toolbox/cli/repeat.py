"""`repeat CONFIG --seeds 0 1 2`: train a config with several seeds; mean and spread of the final checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toolbox.cli.arguments import add_config_options, parser, read_config, use_plugins
from toolbox.io.errors import ConfigError, UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Repeat; returns the exit code, 1 if a seed failed."""
    made = parser(
        "repeat",
        "Train a config with several seeds, one after the other; report mean and spread of the final checkpoints. "
        "Called again it continues, and adds seeds.",
    )
    made.add_argument("config", metavar="CONFIG", help="a YAML file, or the name of a shipped one: demo/style.yaml")
    made.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="SEED", help="by default 0 1 2")
    made.add_argument(
        "--work-dir", metavar="DIR", help="where the runs and the table go; by default seeds/ in the run's"
    )
    add_config_options(made)
    made.add_argument("--amp", action="store_true", help="mixed precision: bfloat16 where it is safe")
    options = made.parse_args(arguments)
    for seed in options.seeds:
        if not 0 <= seed <= 2**62 or options.seeds.count(seed) > 1:
            raise UserError(f"--seeds {seed}: give every seed once, each from 0 to 2^62")
    folder, options.work_dir = options.work_dir, None
    config = read_config(options)
    if any(option.partition("=")[0].startswith("randomness.seed") for option in options.cfg_options):
        raise UserError("--cfg-options randomness.seed: which seeds there are is said with --seeds")
    if not config.data.get("train_cfg"):
        raise ConfigError("training needs it", file=config.source(""), key="train_cfg")
    if not config.data.get("test_dataloader") and not config.data.get("val_dataloader"):
        raise ConfigError("the config has no data to measure on", file=config.source(""), key="val_dataloader")
    if ("report", None) in (config.data.get("default_hooks") or {}).items():
        key = "default_hooks.report"
        raise ConfigError("repeat reads every run's report; leave it on", file=config.source(key), key=key)
    use_plugins(options.plugins, config)

    from toolbox.assembly.check import check

    check(config)

    from toolbox.assembly.runner import work_dir_of
    from toolbox.benchmark.repeat import in_a_process, repeat, show

    common = [argument for name in options.plugins for argument in ("-p", name)]
    changes = ["--cfg-options", *options.cfg_options] if options.cfg_options else []
    done = repeat(
        config.data,
        options.seeds,
        Path(folder) if folder else work_dir_of(config) / "seeds",
        in_a_process,
        train=[options.config, *common, *(["--amp"] if options.amp else []), *changes],
        test=[options.config, *common, *changes],
    )
    show(done, config.data.get("experiment_name") or config.file.stem)
    return 1 if done.failed else 0
