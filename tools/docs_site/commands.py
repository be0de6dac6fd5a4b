"""The command line: every command with its options, from the parsers themselves."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator

from components import cell, said

from toolbox.cli import TASKS
from toolbox.cli.parsers import parser_of

TITLE, PLACE = "Command line", "reference/commands.md"


def pages() -> list[tuple[str, str, str]]:
    """Title, place and Markdown of the page."""
    lines = [
        "# Command line",
        "",
        "`gan-toolbox COMMAND`, or in a checkout `python tools/COMMAND.py`. A mistake is one line on standard error"
        " and the exit code 2.",
        "",
    ]
    for task, commands in TASKS.items():
        lines += [f"## {task.capitalize()}", ""]
        for command in commands:
            lines += [f"### {command}", "", *_command(command, parser_of(command))]
    return [(TITLE, PLACE, "\n".join(lines))]


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield from (f"{said(parser.description or '')}", "")
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    options = usage[len(parser.prog) :]
    yield from ("```text", *textwrap.wrap(f"gan-toolbox {name}{options}", 100, subsequent_indent=" " * 4), "```", "")
    rows = [row for action in parser._actions if (row := _row(action))]
    if rows:
        yield from ("| | |", "|---|---|", *rows, "")
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below, each in action.choices.items():
                yield from (f"#### {name} {below}", "", *_command(f"{name} {below}", each))


def _row(action: argparse.Action) -> str | None:
    if action.help == argparse.SUPPRESS or isinstance(action, (argparse._HelpAction, argparse._SubParsersAction)):
        return None
    names = ", ".join(f"`{name}`" for name in action.option_strings)
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper() if action.nargs != 0 else ""
    if action.choices is not None:
        value = ", ".join(map(str, action.choices))
    text = (action.help or "") % {**vars(action), "prog": ""} if "%(" in (action.help or "") else action.help or ""
    shown = f"{names} {_code(value)}" if names else _code(value)
    return f"| {shown.strip()} | {cell(said(text.replace('%%', '%')))} |"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
