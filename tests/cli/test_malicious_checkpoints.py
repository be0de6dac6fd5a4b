"""Checkpoints that would run code: refused by every command that reads one, and nothing of them runs."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from runs import command, refused, sr_config, write_config
from toolbox.weights.checkpoint import hash_file


class Evil:
    """Unpickling it would run a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        import os

        return os.system, (self.command,)


@pytest.mark.parametrize("how", ["resume", "load_from", "test", "infer"])
def test_a_malicious_checkpoint_is_refused_wherever_one_is_read(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentinel, evil = tmp_path / "ran", tmp_path / "evil.pth"
    torch.save({"state_dict": Evil(f"touch {sentinel}"), "meta": {"config": f"open({str(sentinel)!r}, 'w')"}}, evil)
    file = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    arguments = {
        "resume": ["train", file, "--resume", evil],
        "load_from": ["train", file, "--cfg-options", f"load_from={evil}"],
        "test": ["test", file, evil],
        "infer": ["infer", tmp_path / "photos", "-o", tmp_path / "out", "--config", file, "--checkpoint", evil],
    }[how]
    line = refused(capsys, *arguments)
    assert (
        "evil.pth" in line
        and ("would run code" if how in ("resume", "infer") else "another class, whose code is not run") in line
    )
    assert not sentinel.exists()


def test_code_in_a_resumed_checkpoints_meta_is_not_run(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file) == 0
    path, sentinel = tmp_path / "run" / "iter_6.pth", tmp_path / "ran"
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["meta"]["config"] = f"open({str(sentinel)!r}, 'w')"  # mmengine's own resume executes this
    torch.save(checkpoint, path)
    hash_file(path).unlink()  # else the change alone would be refused
    assert command("train", file, "--resume", path, "--cfg-options", "train_cfg.max_iters=7") == 0
    assert not sentinel.exists()


def test_a_pickle_that_is_not_a_zip_is_refused_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentinel, evil = tmp_path / "ran", tmp_path / "evil.pth"
    evil.write_bytes(pickle.dumps(Evil(f"touch {sentinel}")))
    file = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    assert "evil.pth" in refused(capsys, "test", file, evil)
    assert not sentinel.exists()
