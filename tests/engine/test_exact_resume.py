"""Interrupted and resumed, a run with every kind of randomness ends with the very weights of the whole run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hard_runs import HARD, interrupted_and_whole

from runs import command, sr_config, weights, write_config
from toolbox.weights.checkpoint import read_checkpoint
from two_ranks import on_two_ranks


def same(whole: Path, resumed: Path) -> None:
    """Assert that two checkpoints hold equal weights."""
    expected, found = weights(whole), weights(resumed)
    assert expected.keys() == found.keys()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("workers", [0, 2])
def test_one_process_resumes_bit_exactly(name: str, workers: int, tmp_path: Path) -> None:
    same(*interrupted_and_whole(tmp_path, name, workers))


def both_systems(folder: Path, rank: int) -> dict[str, Any]:
    """Train both algorithms on one of two ranks, whole and interrupted."""
    for name in HARD:
        interrupted_and_whole(folder / name, name, 0, "--launcher", "pytorch")
    return {}


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of two gloo ranks' runs."""
    folder = tmp_path_factory.mktemp("ranks")
    on_two_ranks(both_systems, folder)
    return folder


@pytest.mark.parametrize("name", HARD)
def test_two_ranks_resume_bit_exactly(name: str, two_ranks: Path) -> None:
    same(two_ranks / name / "whole" / "iter_8.pth", two_ranks / name / "run" / "iter_8.pth")


@pytest.mark.parametrize("name", HARD)
def test_a_checkpoint_of_two_ranks_holds_each_ranks_own_state(name: str, two_ranks: Path) -> None:
    ranks = read_checkpoint(two_ranks / name / "whole" / "iter_8.pth")["ranks"]
    assert len(ranks) == 2
    assert not torch.equal(ranks[0]["random"]["torch"], ranks[1]["random"]["torch"])
    pool = next(key for key in ranks[0]["own"] if key.startswith("pools."))
    first, second = (rank["own"][pool]["images"] for rank in ranks)
    assert first and not torch.equal(first[0], second[0])


def test_more_iterations_extend_the_schedules_as_a_longer_run_would_have(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    file = write_config(config, tmp_path / "run.yaml")
    longer = ("--cfg-options", "train_cfg.max_iters=12")
    assert command("train", file) == 0
    assert command("train", file, "--resume", *longer) == 0
    assert command("train", file, "--work-dir", tmp_path / "whole", *longer) == 0
    rates = [
        read_checkpoint(tmp_path / run / "iter_12.pth")["optimizer"]["generator"]["param_groups"][0]["lr"]
        for run in ("run", "whole")
    ]
    assert rates[0] == pytest.approx(rates[1], rel=1e-9) and rates[0] < 2e-4


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    file = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    assert command("train", file) == 0
    assert command("train", file, "--work-dir", tmp_path / "whole") == 0
    newest = tmp_path / "run" / "iter_6.pth"
    newest.write_bytes(newest.read_bytes()[:-100])
    assert command("train", file, "--resume") == 0
    same(tmp_path / "whole" / "iter_6.pth", newest)
    log = "".join(path.read_text() for path in (tmp_path / "run").glob("*/*.log"))
    assert "iter_6.pth: is damaged" in log and "falling back" in log
