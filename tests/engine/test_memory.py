"""oneDNN keeps a bounded number of kernels, and what the environment says counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runs import command, sr_config, write_config
from toolbox.engine.memory import bound_kernels, ran_out


def test_the_kernels_that_are_kept_are_bounded_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    monkeypatch.setenv(name, "7")
    bound_kernels(128)
    assert os.environ[name] == "7"
    monkeypatch.delenv(name)
    bound_kernels(128)
    assert os.environ[name] == "128"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has"), "2.50 GiB more were wanted"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 10737418240 bytes."),
            "10.0 G",
        ),
        (RuntimeError("Storage size calculation overflowed with sizes=[9]"), "out of memory"),
        (MemoryError(), "out of memory"),
    ],
)
def test_a_training_whose_memory_runs_out_is_one_line_with_the_way_out(
    error: Exception, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("toolbox.training.algorithm.Algorithm.train_on", step)
    assert command("train", write_config(sr_config(tmp_path), tmp_path / "run.yaml")) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line]
    assert line.startswith("failed: out of memory") and told in line and "train_dataloader.batch_size" in line


def test_other_errors_are_not_taken_for_it() -> None:
    assert ran_out(RuntimeError("the plugin is broken")) is None
    assert ran_out(ValueError("memory")) is None
