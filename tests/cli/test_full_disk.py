"""A disk that fills up midway: every command ends in one line, and nothing half lies under a final name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_every_command_ends_in_one_line_and_leaves_nothing_half(tmp_path: Path) -> None:
    path = os.pathsep.join([str(TESTS), *sys.path])
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("full_disk.py"), tmp_path],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "TOOLBOX_CACHE": str(tmp_path / "cache")},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) > 25 and {each["command"].split()[0] for each in found} >= {"preview", "train", "repeat", "infer"}
    for each in found:
        lines = [line for line in each["said"].splitlines() if line.startswith(("failed: ", "error: "))]
        assert each["code"] == 1, each
        assert "Traceback" not in each["said"] and each["said"].count("the log ends here") <= 1, each
        assert each["halves"] == [], each
        assert lines and all("File too large" in line for line in lines[:1]), each
