"""Many files in a row: no handle stays open, no half-written file is left, and a run goes on where it stopped."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from known_networks import Smooth

from toolbox.inference import Predictor, plan, translate
from toolbox.io.images import write_image

SUFFIXES = ("png", "jpg", "webp", "tif", "bmp")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for number in range(60):
        size = rng.integers(4, 12, 2)
        image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        write_image(tmp_path / "in" / f"{number:02}.{SUFFIXES[number % 5]}", image)
    (tmp_path / "in" / "30.png").write_bytes((tmp_path / "in" / "30.png").read_bytes()[:-20])
    return tmp_path / "in"


def test_handles_do_not_grow_with_files(folder: Path, tmp_path: Path) -> None:
    made, handles = plan([folder], tmp_path / "out"), []
    for _ in translate(Predictor(Smooth()), made.jobs, batch=4):
        handles.append(len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0)
    assert len(handles) == 60 and max(handles[10:]) <= max(handles[:10]) + 2


def test_a_run_that_stopped_goes_on_to_equal_bytes(folder: Path, tmp_path: Path) -> None:
    whole = plan([folder], tmp_path / "whole")
    list(translate(Predictor(Smooth()), whole.jobs))
    stopped = translate(Predictor(Smooth()), plan([folder], tmp_path / "out").jobs)
    for _ in range(20):
        next(stopped)
    stopped.close()  # pyright: ignore[reportAttributeAccessIssue]
    (tmp_path / "out" / ".left.partial").write_bytes(b"half")
    rest = plan([folder], tmp_path / "out")
    rest.pass_over_existing()
    assert 19 <= rest.there < 25 and len(rest.jobs) == 60 - rest.there
    list(translate(Predictor(Smooth()), rest.jobs))
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    assert len(list((tmp_path / "whole").iterdir())) == 59, "all but the damaged one"
