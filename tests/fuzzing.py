"""What the fuzz tests share: settings, damage to bytes, and what every refusal must be."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from toolbox.io.errors import UserError

set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "hypothesis")  # nothing is written into the tree

fuzz = settings(
    derandomize=True,
    deadline=None,  # `refused_quickly` counts the processor's time: a busy disk is nobody's fault
    database=None,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow],
)


@contextmanager
def refused_quickly(*names: str) -> Iterator[None]:
    """Whatever happens inside takes less than a second of computing, and an error is one line that holds `names`."""
    start = time.process_time()
    try:
        yield
    except UserError as error:
        assert_one_line(error)
        assert all(name in str(error) for name in names), str(error)
    assert time.process_time() - start < 1.0


def few(change: st.SearchStrategy[tuple[str, int, int]]) -> st.SearchStrategy[list[tuple[str, int, int]]]:
    """One change as often as several: the first that is noticed hides the others."""
    return st.lists(change, min_size=1, max_size=1) | st.lists(change, min_size=2, max_size=4)


bytewise = few(
    st.tuples(
        st.sampled_from(["flip", "flip", "cut", "insert", "repeat", "move", "end"]),
        st.integers(0, 99_999),  # where, in 100,000ths of the file
        st.integers(0, 10_000),  # what, or how much
    )
)


def scrambled(content: bytes, changes: list[tuple[str, int, int]], pieces: list[bytes]) -> bytes:
    """The content with some of its bytes changed."""
    for change, where, what in changes:
        at = where * len(content) // 100_000
        if change == "flip" and content:
            content = content[:at] + bytes([content[at] ^ (1 << what % 8)]) + content[at + 1 :]
        elif change == "cut":
            content = content[:at] + content[at + 1 + what % 40 :]
        elif change == "insert":
            content = content[:at] + pieces[what % len(pieces)] + content[at:]
        elif change == "repeat":
            content = content[:at] + content[at : at + what % 200] * 3 + content[at:]
        elif change == "move":
            other = what % (len(content) + 1)
            content = content[:at] + content[other : other + 30] + content[at + 30 :]
        elif change == "end":
            content = content[:at]
    return content


def assert_one_line(error: UserError) -> None:
    """A message is one printable line of a readable length, whatever stood in the file."""
    text = str(error)
    assert text and len(text) < 2000 and "\n" not in text and "\r" not in text, text
