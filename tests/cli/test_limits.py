"""What the system lets a process have: too little is one line that names the limit, or smaller tiles."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from runs import command, pictures, refused, sr_config, write_config
from toolbox.inference.memory import addresses_left


def limited(limit: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `gan-toolbox ARGUMENTS` under `ulimit LIMIT`."""
    line = f'ulimit {limit}; exec "$@"'
    program = ["bash", "-c", line, "bash", sys.executable, "-m", "toolbox.cli", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(program, env=environment, capture_output=True, text=True, timeout=120)


def test_sixty_four_files_do_for_a_training_with_workers(tmp_path: Path) -> None:
    config = sr_config(tmp_path) | {"train_cfg": {"max_iters": 2, "val_interval": 2}}
    config["train_dataloader"]["num_workers"] = 2
    done = limited("-n 64", "train", write_config(config, tmp_path / "run.yaml"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "iter_2.pth").is_file()


@pytest.mark.parametrize(("limit", "said"), [("-n 16", "may open 16 files"), ("-v 500000", "0.5 GB of memory addr")])
def test_a_limit_that_is_too_small_is_named(tmp_path: Path, limit: str, said: str) -> None:
    done = limited(limit, "infer", pictures(tmp_path / "photos", 1), "-o", tmp_path / "out")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: this process ") and said in done.stderr and "ulimit" in done.stderr


def test_files_that_run_out_later_are_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_out(_: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("toolbox.cli.train.main", run_out)
    assert "ulimit -n" in refused(capsys, "train", tmp_path)
    monkeypatch.setattr("toolbox.cli.train.main", lambda _: (_ for _ in ()).throw(OSError(5, "else")))
    with pytest.raises(OSError, match="else"):
        command("train", tmp_path)


def test_a_picture_that_the_limit_has_no_room_for_is_told_with_ways_out(tmp_path: Path) -> None:
    picture = pictures(tmp_path / "photos", 1, size=4000)
    done = limited("-v 1500000", "infer", picture, "-o", tmp_path / "out", "--device", "cpu")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "choose a smaller --outscale" in done.stderr and not list((tmp_path / "out").iterdir())


def test_the_room_that_is_left_is_less_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1 << 50, 1 << 50))
    (left,) = addresses_left()
    assert (1 << 49) < left < (1 << 50)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert addresses_left() == []
