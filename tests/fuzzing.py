"""What the fuzz tests share: settings, drawing of damage, and what every refusal must be."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from attacks.attack import problem_of_line
from attacks.damage import BYTEWISE, STRUCTURAL, WHAT, WHERE, Change
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
    """Whatever happens inside takes less than a second of computing, and an error is one line that holds `names`.

    Python's garbage, of the thousand tests before, is not collected meanwhile: that would count.
    """
    collects = gc.isenabled()
    gc.disable()
    start = time.process_time()
    try:
        yield
    except UserError as error:
        assert_one_line(error)
        assert all(name in str(error) for name in names), str(error)
    finally:
        if collects:
            gc.enable()
    assert time.process_time() - start < 1.0


def _few(kinds: Sequence[str]) -> st.SearchStrategy[list[Change]]:
    """One change as often as several: the first that is noticed hides the others."""
    change = st.tuples(st.sampled_from(kinds), st.integers(0, WHERE - 1), st.integers(0, WHAT))
    return st.lists(change, min_size=1, max_size=1) | st.lists(change, min_size=2, max_size=4)


bytewise, structural = _few(BYTEWISE), _few(STRUCTURAL)


def assert_one_line(error: UserError) -> None:
    """A message is one printable line of a readable length, whatever stood in the file."""
    problem = problem_of_line(str(error))
    assert problem is None, f"{problem}: {error}"
