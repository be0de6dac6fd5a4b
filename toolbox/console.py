"""The one place that writes to the terminal: progress, tables and messages share a rich console."""

from __future__ import annotations

from rich.console import Console
from rich.theme import Theme

console = Console(theme=Theme({"bad": "bold red", "good": "green", "quiet": "dim"}), highlight=False)
errors = Console(stderr=True, theme=Theme({"bad": "bold red"}), highlight=False)
