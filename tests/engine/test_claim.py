"""A work folder belongs to one run at a time, until that process ends, however it does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runs import command, refused, sr_config, write_config
from toolbox.engine.claim import claimed
from toolbox.io.errors import UserError

HOLDS = """
import os, sys, time
from pathlib import Path
from toolbox.engine.claim import claimed
with claimed(Path(sys.argv[1])):
    if os.fork() == 0:  # as a data loader's worker, which may outlive the run
        os.close(1)
        time.sleep(20)
        os._exit(0)
    print("held", flush=True)
    time.sleep(20)
"""


@contextmanager
def held(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that trains in a folder, with a worker."""
    arguments = [sys.executable, "-c", HOLDS, str(folder)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, start_new_session=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        try:
            yield other
        finally:
            os.killpg(other.pid, signal.SIGKILL)


def test_a_second_run_is_refused_with_the_firsts_process_and_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    with held(tmp_path / "run") as other:
        for resume in ([], ["--resume"]):
            line = refused(capsys, "train", config, *resume)
            assert f"process {other.pid} on " in line and ", started 2" in line and "--work-dir" in line
        with claimed(tmp_path / "run", rank=1):
            pass  # rank 0 alone asks


def test_a_lock_ends_with_its_process_though_a_worker_lives_on(tmp_path: Path) -> None:
    with held(tmp_path) as other:
        with pytest.raises(UserError, match=f"process {other.pid} "), claimed(tmp_path):
            pass
        other.kill()
        other.wait()
        with claimed(tmp_path):
            assert f"process {os.getpid()} on " in (tmp_path / ".lock").read_text()


def test_a_run_that_has_ended_leaves_the_folder_free(tmp_path: Path) -> None:
    content = sr_config(tmp_path) | {"train_cfg": {"max_iters": 1, "val_interval": 1}}
    config = write_config(content, tmp_path / "run.yaml")
    assert command("train", config) == 0
    assert command("train", config) == 0


def test_a_run_that_is_refused_at_its_start_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="wrong"), claimed(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()
        raise UserError("wrong")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_removed_meanwhile_hides_no_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="wrong"), claimed(tmp_path / "run"):
        shutil.rmtree(tmp_path / "run")
        raise UserError("wrong")


def test_a_disk_without_locks_is_told_and_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unknown(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.lockf", unknown)
    with claimed(tmp_path):
        pass
    assert caplog.messages == [f"{tmp_path}: this disk knows no locks: a second run here would not be noticed"]
