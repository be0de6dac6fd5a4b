"""The parser of every command, which can be asked for what it takes without a run."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Any


class Asked(Exception):
    """Carries a command's parser to who asked for it, in place of a run."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


class Parser(argparse.ArgumentParser):
    """argparse's, which gives itself to who asks."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Parse the command line, or raise `Asked`."""
        if args == ASKING:
            raise Asked(self)
        return super().parse_args(args, namespace)


ASKING = ("--its-parser",)
"""The arguments by which `main` of a command gives its parser and does nothing else; no command line holds a tuple."""


def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser of a command, with all that the command adds to it."""
    try:
        import_module(f"toolbox.cli.{command}").main(ASKING)
    except Asked as asked:
        return asked.parser
    raise AssertionError(f"{command} parses no arguments")
