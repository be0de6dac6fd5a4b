"""`tools/bench.py networks`: a grid's generators in every runtime, their costs counted by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from grids import tiny_grid

TOOL = Path(__file__).parents[2] / "tools" / "bench.py"


def test_a_grids_networks_are_counted_and_timed_in_every_runtime(tmp_path: Path) -> None:
    cells = {
        "half": {"model.generator": {"type": "SRVGGNetCompact", "width": 32, "convs": 1, "scale": 2}},
        "whole": {
            "model.generator": {"type": "RCAN", "width": 8, "groups": 1, "blocks": 1, "reduction": 4, "scale": 2}
        },
    }
    grid, out = tiny_grid(tmp_path, {"generator": cells}), tmp_path / "costs.md"
    done = subprocess.run(
        [sys.executable, TOOL, "networks", grid, "--size", "96", "--rounds", "2", "-o", out],
        env={**os.environ, "OMP_NUM_THREADS": "1", "TOOLBOX_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.strip().splitlines()
    ]
    assert head[1:3] == ["parameters", "GMACs at 96²"] and len(head) == 8
    half, whole = rows
    weights = 27 * 32 + 288 * 32 + 288 * 12  # 3x3 kernels: 3 channels to 32, to 32, to 3 * 2²
    others = 32 + 32 + 12 + 2 * 32  # biases, and a slope of each channel after two of them
    assert half[:3] == ["half", f"{weights + others:,}", "0.12"] and round(weights * 96**2 / 1e9, 2) == 0.12
    assert whole[0] == "whole"
    assert all(half[3:]), "every runtime computes it"
    empty = [title for title, cell in zip(head, whole, strict=True) if not cell]
    assert empty == ["PyTorch bf16, ms", "OpenVINO bf16, ms"], "on a range of 255 it stays in float32"
    written = out.read_text(encoding="utf-8")
    assert done.stdout.strip() in written and "the least of 2 calls in turn; torch " in written
