"""The one place that writes to the terminal: progress, tables and messages share a rich console.

Strings are text, never rich's markup: `[/b]` in a file's name stays what it is. Styles are given beside the text.
"""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.theme import Theme

from toolbox.io.visible import visible

WIDTH = None if sys.stdout.isatty() else 160
"""Lines in a file or a pipe are not folded at 80 columns."""


class TextConsole(Console):
    """A console that shows every string, also in tables, as one line of `visible` text.

    What a Text or a Progress holds passes by: make the one with `styled`, and give the other `visible` descriptions.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """Turn a string into what is shown."""
        return super().render_str(visible(text), **{**settings, "markup": False, "emoji": False})

    def print_lines(self, text: str) -> None:
        """Show a text of many lines, none of them folded."""
        for line in text.splitlines():
            self.print(line, soft_wrap=True)


def styled(*parts: str | tuple[str, str]) -> Text:
    """Text put together from strings, and from pairs of a string and its style (`bad`, `good`, `quiet`, `bold`)."""
    pairs = [(part, "") if isinstance(part, str) else part for part in parts]
    return Text.assemble(*((visible(text), style) for text, style in pairs))


console = TextConsole(width=WIDTH, theme=Theme({"bad": "bold red", "good": "green", "quiet": "dim"}))
errors = TextConsole(stderr=True, theme=Theme({"bad": "bold red"}))
