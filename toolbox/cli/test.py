"""`test CONFIG [CHECKPOINT]`: measure a checkpoint, or what `load_from` names, on the config's test data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toolbox.cli.arguments import add_config_options, add_run_options, naming_the_file, parser, read_config, use_plugins
from toolbox.errors import ConfigError


def main(arguments: Sequence[str] | None = None) -> int:
    """Test; returns the exit code."""
    made = parser(
        "test", "Measure a checkpoint on the config's test data (or its validation data, if it has no other)."
    )
    made.add_argument("config", metavar="CONFIG", help="the YAML file it was trained with")
    made.add_argument(
        "checkpoint", nargs="?", metavar="CHECKPOINT", help="a checkpoint of that config; without: its load_from"
    )
    add_config_options(made)
    add_run_options(made)
    options = made.parse_args(arguments)
    config = read_config(options)
    source = options.checkpoint or config.data.get("load_from")
    if not source:
        raise ConfigError(
            "name a CHECKPOINT, or write the files of the networks", file=config.source(""), key="load_from"
        )
    config.data |= {"load_from": source, "resume": False}
    if options.work_dir is None:  # beside the training's report, config and samples, not over them
        run = config.data.get("work_dir") or f"work_dirs/{config.file.stem}"
        config.data["work_dir"] = str(Path(run) / "test")
    if not config.data.get("test_dataloader") and not config.data.get("val_dataloader"):
        raise ConfigError("the config has no data to test on", file=config.source(""), key="test_dataloader")
    use_plugins(options.plugins, config)

    from toolbox.check import check

    check(config)
    data = "test" if config.data.get("test_dataloader") else "validation"
    if data == "validation":
        for key in ("dataloader", "evaluator", "cfg"):
            config.data[f"test_{key}"] = config.data.get(f"val_{key}")

    from toolbox.engine.distributed import leave_distributed
    from toolbox.engine.reporting import ReportHook
    from toolbox.runner import build_runner

    with naming_the_file(config):
        runner = build_runner(config, splits=("test",))
        for hook in runner.hooks:
            if isinstance(hook, ReportHook):
                hook.tests(str(source), data, (config.data.get("train_cfg") or {}).get("max_iters", 0))
        runner.test()
    leave_distributed()
    return 0
