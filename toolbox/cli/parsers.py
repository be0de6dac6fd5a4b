"""The parser of every command, which can be asked for what it takes without a run."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from toolbox.io.errors import UserError, did_you_mean


class Asked(Exception):
    """Carries a command's parser to who asked for it, in place of a run."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


class Parser(argparse.ArgumentParser):
    """argparse's, which gives itself to who asks, and says in one line what it does not understand."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Parse the command line, or raise `Asked`."""
        if args == ASKING:
            raise Asked(self)
        known, others = self.parse_known_args(args, namespace)
        if others:
            self.error(self._unknown(others))
        return known

    def error(self, message: str) -> NoReturn:
        """Raise a UserError of one line, where argparse prints all options of the command before it."""
        said = message.removeprefix("argument ")
        if said.startswith(_MISSING):
            said = f"{said.removeprefix(_MISSING)}: is missing{_hidden(self.given)}"
        raise UserError(f"{said}; {self.prog} -h says what it takes")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Remember what is parsed, for `error`."""
        self.given = [] if args is None else [str(each) for each in args]
        return super().parse_known_args(args, namespace)

    def _unknown(self, others: list[str]) -> str:
        """What nobody asked for; an option's likely name, or how a file whose name begins with a dash is written."""
        first = others[0]
        known = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
        hint = did_you_mean(first.partition("=")[0], known) if first.startswith("--") else ""
        hint = _hidden(others) or (hint if "did you mean" in hint else "")
        return f"{' '.join(others)}: is not understood{hint}"

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """A value in its type; of no letters a path would be the folder one stands in, and a checkpoint none at all."""
        named = str(action.metavar or "").split("|")
        if not arg_string.strip() and (action.type is Path or not _PLACES.isdisjoint(named)):
            raise argparse.ArgumentError(action, "is empty text; name a file or folder (. is the one you are in)")
        return super()._get_value(action, arg_string)  # pyright: ignore[reportAttributeAccessIssue]


def _hidden(arguments: list[str]) -> str:
    """How to write the first of the arguments that is a file and looks like an option."""
    files = (each for each in arguments if each.startswith("-") and Path(each).exists())
    return next((f"; a name that begins with a dash is written ./{each}" for each in files), "")


_PLACES = frozenset(("CHECKPOINT", "CONFIG", "DIR", "FILE", "FOLDER", "GRID"))
"""How arguments are called that name a file or folder, whatever type they have."""
_MISSING = "the following arguments are required: "

ASKING = ("--its-parser",)
"""The arguments by which `main` of a command gives its parser and does nothing else; no command line holds a tuple."""


def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser of a command, with all that the command adds to it."""
    try:
        import_module(f"toolbox.cli.{command}").main(ASKING)
    except Asked as asked:
        return asked.parser
    raise AssertionError(f"{command} parses no arguments")
