"""`schema [-o FILE]`: a JSON Schema of configs and grids, for editors, from what is installed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from toolbox.cli.arguments import parser, use_plugins


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the schema, or print it; returns 0."""
    options = arguments_of().parse_args(arguments)
    use_plugins(options.plugins)
    from toolbox.benchmark.grid_schema import schema_text
    from toolbox.io.console import console
    from toolbox.io.files import replace_text

    text = schema_text()
    if options.output is None:
        print(text, end="")
        return 0
    replace_text(options.output, text)
    console.print(
        f"{options.output} is written; an editor with the YAML language server reads it by a config's first line:"
    )
    console.print(f"  # yaml-language-server: $schema={options.output}", soft_wrap=True, markup=False, highlight=False)
    return 0


def arguments_of() -> argparse.ArgumentParser:
    """The command's options."""
    made = parser(
        "schema", "Write a JSON Schema of configs, with every component of the installed plugins, for editors."
    )
    made.add_argument("-o", dest="output", type=Path, metavar="FILE", help="a .json (default: standard output)")
    return made
