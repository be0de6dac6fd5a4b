"""The one place that writes to the terminal: progress, tables and messages share a rich console."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.theme import Theme

WIDTH = None if sys.stdout.isatty() else 160
"""Lines in a file or a pipe are not folded at 80 columns."""

console = Console(width=WIDTH, theme=Theme({"bad": "bold red", "good": "green", "quiet": "dim"}), highlight=False)
errors = Console(stderr=True, theme=Theme({"bad": "bold red"}), highlight=False)
