"""`test CONFIG [CHECKPOINT]`: measure a checkpoint, or what `load_from` names, on the config's test data."""

from __future__ import annotations

from collections.abc import Sequence

from toolbox.cli.arguments import add_config_options, add_run_options, parser, read_config, use_plugins


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
    use_plugins(options.plugins, config)

    from toolbox.assembly.run import test

    test(config, options.checkpoint, work_dir=options.work_dir)
    return 0
