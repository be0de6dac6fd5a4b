"""Text of unknown origin (names, paths, what a plugin says) as a terminal may show it: nothing in it is a command."""

from __future__ import annotations

import io
import sys

_ESCAPED = {
    **{code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))},  # control characters, ANSI's among them
    **{ord(character): escape for character, escape in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))},
    **{code: f"\\x{code - 0xDC00:02x}" for code in range(0xDC80, 0xDD00)},  # bytes of a path that are no UTF-8
    **{code: f"\\u{code:04x}" for code in (*range(0xD800, 0xDC80), *range(0xDD00, 0xE000))},
    **{code: f"\\u{code:04x}" for code in (0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))},
}
"""The last row ends lines, or turns what follows round."""


def visible(text: str) -> str:
    """The text as one line, its control characters, stray bytes and turns of direction written as escapes."""
    return text.translate(_ESCAPED)


def show_what_can_be_shown() -> None:
    """Let standard output and error write as an escape what their encoding lacks, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
