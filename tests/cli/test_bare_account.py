"""An account without a home, without an entry in passwd and with the C locale: what needs no cache works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runs import pictures

BARE = """
import os, pwd, sys
def getpwuid(number): raise KeyError(f"getpwuid(): uid not found: {number}")
pwd.getpwuid = getpwuid
from toolbox.cli import main
sys.exit(main())
"""


def bare(*arguments: object, **named: str) -> subprocess.CompletedProcess[str]:
    """Run `gan-toolbox ARGUMENTS` in such an account."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "TORCH_HOME") if name in os.environ}
    command = [sys.executable, "-c", BARE, *map(str, arguments)]
    return subprocess.run(command, env={**kept, "LC_ALL": "C", **named}, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("arguments", ["plugins list", "models list", "models list --long", "models verify"])
def test_lists_need_no_cache(arguments: str) -> None:
    done = bare(*arguments.split())
    assert done.returncode == 0, done.stderr
    assert done.stdout and "Traceback" not in done.stderr


def test_a_picture_is_translated_by_the_shipped_network(tmp_path: Path) -> None:
    photos = pictures(tmp_path / "photos", 1, size=16)
    done = bare("infer", photos, "-o", tmp_path / "out", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["00.png"]


def test_what_is_cached_says_which_folder_to_name(tmp_path: Path) -> None:
    done = bare("models", "download", "lpips-alex")
    known = bare("models", "list").stdout
    assert done.returncode == 2 and "Traceback" not in done.stderr
    name = next(line.split()[1] for line in known.splitlines() if "absent" in line)
    done = bare("models", "download", name, "--from", tmp_path)
    assert done.stderr.strip() == "error: there is no home folder for the cache; set TOOLBOX_CACHE to a folder"
