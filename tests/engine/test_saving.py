"""A checkpoint stands before every validation, and after so many minutes; it goes when the next one is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from runs import command, sr_config, write_config
from toolbox.engine.chosen_metric import better
from toolbox.engine.saving import CheckpointHook, best_of
from toolbox.weights.checkpoint import checkpoints

FAILS = '''
"""A metric that fails in its second validation of four pictures."""
from toolbox import SingleMetric, hookimpl

calls = []


class Fails(SingleMetric):
    """1, for as long as it goes."""

    name = "fails"
    protocol = "fails"

    def measure(self, image):
        calls.append(1)
        if len(calls) > 7:
            raise ValueError("it does not like this picture")
        return 1.0


@hookimpl
def register_metrics(register):
    register("Fails", Fails)
'''


def names(folder: Path) -> list[str]:
    return [path.name for path in checkpoints(folder)]


def test_a_failing_validation_loses_nothing_and_the_run_can_be_resumed(tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text(FAILS)
    config = sr_config(tmp_path) | {"default_hooks": {}}
    config["val_evaluator"] = [{"type": "Fails", "prediction": "sr", "baseline": False}]
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file, "-p", tmp_path / "fails.py") == 2
    assert names(tmp_path / "run") == ["iter_6.pth"]
    config["val_evaluator"] = [{"type": "PSNR", "prediction": "sr", "reference": "hr"}]
    assert command("train", write_config(config, tmp_path / "run.yaml"), "--resume") == 0
    assert names(tmp_path / "run") == ["iter_6.pth"]


def test_checkpoints_of_the_interval_are_kept_and_those_before_validations_pass(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    config["train_cfg"] = {"max_iters": 7, "val_interval": 3}
    config["default_hooks"] = {"checkpoint": {"interval": 4, "max_keep_ckpts": 2}}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    assert names(tmp_path / "run") == ["iter_7.pth", "iter_4.pth"]


def test_the_clock_saves_too_and_changes_no_weight(tmp_path: Path) -> None:
    from torch import equal

    from runs import weights

    ends = []
    for minutes in (None, 1e-9):
        config = sr_config(tmp_path) | {"work_dir": str(tmp_path / str(minutes))}
        config["default_hooks"] = {"checkpoint": {"interval": 100, "minutes": minutes}}
        file = write_config(config, tmp_path / "run.yaml")
        assert command("train", file, "--stop-at", 4) == 0
        assert command("train", file, "--resume") == 0
        ends.append(weights(tmp_path / str(minutes) / "iter_6.pth"))
    assert all(equal(value, ends[1][name]) for name, value in ends[0].items())
    hook = CheckpointHook(minutes=10)
    assert hook.should_stop(4, 1) == (False, False)
    hook.saved_at -= 601
    assert hook.should_stop(4, 1) == (False, True) and hook.should_stop(5, 2) == (False, False)
    with pytest.raises(ValueError, match="minutes must be more than 0"):
        CheckpointHook(minutes=0)


@pytest.mark.parametrize(
    ("checkpoint", "value"),
    [
        ({"message_hub": {"runtime_info": {"best": 31.5}}}, 31.5),
        ({"message_hub": {"runtime_info": {"best": "31.5"}}}, None),
        ({"message_hub": {"runtime_info": {}}}, None),
        ({"message_hub": [1]}, None),
        ({}, None),
    ],
)
def test_the_best_value_so_far_is_a_number_or_unknown(checkpoint: object, value: float | None) -> None:
    assert best_of(checkpoint) == value


def test_a_number_is_better_than_none_and_none_is_better_than_nothing() -> None:
    none = float("nan")
    assert better(20.0, none, True) and better(20.0, none, False)
    assert not better(none, 20.0, True) and not better(none, none, True)
    assert better(0.1, 0.2, False) and not better(0.1, 0.2, True) and not better(0.1, 0.1, False)
