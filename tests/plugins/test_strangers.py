"""A plugin of somebody else that happens to be installed changes nothing of what the toolbox's tests look at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

STRANGER = """
from toolbox import hookimpl

@hookimpl
def register_algorithms(register):
    register("Strange", type("Strange", (), {}))

@hookimpl
def register_gan_variants(register):
    raise RuntimeError("no licence")

@hookimpl
def config_loaded(config):
    raise RuntimeError("no config is good enough")
"""
PROGRAM = """
import conftest
from matrix import CELLS, VARIANTS, algorithms
from toolbox.cli import run
from toolbox.plugins.manager import manager
assert all(manager().plugins[name].blocked for name in ("stranger", "unlucky") if name in manager().plugins)
print(len(CELLS), sorted(VARIANTS), algorithms())
raise SystemExit(run("train", ["demo/style.yaml", "--dry-run", "--cfg-options", "model.ema=2.0"]))
"""


def looked_at(*places: Path) -> str:
    """What the tests are parametrised over, with `places` on the path."""
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([*map(str, places), str(tests), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert ended.returncode == 2 and "model.ema" in ended.stderr, ended.stderr
    return ended.stdout


def test_strangers_and_broken_ones_among_them_are_left_out(tmp_path: Path) -> None:
    for name, source in (("stranger", STRANGER), ("unlucky", "raise RuntimeError('imported')")):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (tmp_path / f"{name}_module.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[toolbox.plugins]\n{name} = {name}_module\n")
    found = looked_at(tmp_path)
    assert "SRGAN" in found and found == looked_at()
