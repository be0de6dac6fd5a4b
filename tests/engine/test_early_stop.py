"""A run stops when its chosen metric gains no more, says why in words, and stops there again when it is resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from runs import command, refused, sr_config, weights, write_config
from toolbox.engine.early_stop import EarlyStopHook
from toolbox.io.errors import UserError
from toolbox.weights.checkpoint import read_checkpoint


def said(values: list[float], *, rising: bool = False, since: int = 0, **settings: Any) -> str | None:
    """What the hook says after validations at 0, 100, 200, … of these values."""
    hook = EarlyStopHook(metric="dists", **settings)
    hook.seen = [(100 * number, value) for number, value in enumerate(values)]
    return hook.reason(rising, since)


def test_getting_worse_is_told_from_standing_still() -> None:
    start = {"worse_than_start": None, "patience": 3}
    assert said([0.2, 0.1, 0.11, 0.12, 0.13], **start) == (
        "stopped at 400: dists got worse for three validations (0.1 → 0.13)"
    )
    assert said([0.2, 0.1, 0.13, 0.12, 0.11], **start) == (
        "stopped at 400: dists did not get better for three validations (0.1 → 0.11)"
    )
    assert said([0.2, 0.1, 0.11, 0.12], **start) is None, "two are not three"
    assert said([0.2, 0.19, 0.18, 0.17], **start) is None, "it still gains"


def test_worse_than_the_beginning_is_told_sooner() -> None:
    told = "stopped at 200: dists has been worse than where it began for two validations (0.2 → 0.22)"
    assert said([0.2, 0.21, 0.22], worse_than_start=2) == told
    assert said([0.2, 0.21, 0.19, 0.22], worse_than_start=2) is None, "not in a row"
    assert said([0.2, 0.2, 0.2], worse_than_start=2) is None, "equal is not worse"


def test_a_rising_metric_and_one_that_is_no_number() -> None:
    assert said([20.0, 22.0, 21.0, 20.5], rising=True, patience=2) == (
        "stopped at 300: dists got worse for two validations (22 → 20.5)"
    )
    assert said([0.2, float("nan"), float("nan")], worse_than_start=2), "a number that is none is no gain"
    assert said([0.2, 0.1999, 0.1998, 0.1997], patience=3, min_gain=0.01), "gains below min_gain are none"


def test_a_phase_that_has_just_begun_has_its_time() -> None:
    seen = [0.2, 0.1, 0.12, 0.13, 0.14]
    assert said(seen, patience=3) and said(seen, patience=3, since=200) is None


@pytest.mark.parametrize("wrong", [{"patience": 0}, {"worse_than_start": 0}, {"min_gain": -1.0}])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EarlyStopHook(metric="psnr", **wrong)


def spoiling(folder: Path, **hooks: Any) -> dict[str, Any]:
    """A run whose rate is so large that it only gets worse."""
    config = sr_config(folder)
    config["optim_wrapper"]["generator"] = {"optimizer": {"type": "SGD", "lr": 3.0}}
    config["param_scheduler"] = None
    config["train_cfg"] = {"max_iters": 12, "val_interval": 2}
    stop = {"metric": "psnr", "worse_than_start": 3, **hooks.pop("early_stop", {})}
    config["default_hooks"] = {"early_stop": stop, "checkpoint": {"interval": 100, "save_best": "psnr"}, **hooks}
    return config


def test_a_run_that_gets_worse_stops_keeps_its_beginning_and_reports_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, folder = write_config(spoiling(tmp_path), tmp_path / "run.yaml"), tmp_path / "run"
    assert command("train", file) == 0
    report = json.loads((folder / "report.json").read_text())
    assert "stopped at 6: psnr has been worse than where it began for three validations" in report["stopped"]
    assert report["stopped"].endswith("the best is what it began with, kept as best_psnr.pth")
    assert report["stopped"] in capsys.readouterr().out and report["iterations"] == 6
    assert list(report["rows"]) == ["do nothing", "before the first step", "train (6 iterations)"]
    assert report["rows"]["before the first step"]["psnr"] > report["rows"]["train (6 iterations)"]["psnr"]
    assert read_checkpoint(folder / "best_psnr.pth")["meta"]["iter"] == 0
    assert (folder / "samples/iter_0.png").is_file() and (folder / "samples/iter_6.png").is_file()
    # resumed, it knows all of it and stops again; with more patience it goes on
    assert command("train", file, "--resume") == 0
    assert json.loads((folder / "report.json").read_text())["stopped"] == report["stopped"]
    more = "default_hooks.early_stop.worse_than_start=4"
    assert command("train", file, "--resume", "--cfg-options", more) == 0
    assert "stopped at 8" in json.loads((folder / "report.json").read_text())["stopped"]


def test_a_run_that_was_killed_before_its_validation_stops_where_the_whole_run_does(tmp_path: Path) -> None:
    config = spoiling(tmp_path)
    whole = write_config({**config, "work_dir": str(tmp_path / "whole")}, tmp_path / "whole.yaml")
    assert command("train", whole) == 0
    file, folder = write_config(config, tmp_path / "run.yaml"), tmp_path / "run"
    assert command("train", file, "--stop-at", "4") == 0  # its checkpoint was written before validation 4
    assert [iteration for iteration, _ in read_checkpoint(folder / "iter_4.pth")["early_stop"]["seen"]] == [0, 2]
    assert command("train", file, "--resume") == 0
    reports = [json.loads((each / "report.json").read_text()) for each in (tmp_path / "whole", folder)]
    assert reports[0]["stopped"] == reports[1]["stopped"] and reports[0]["rows"] == reports[1]["rows"]
    expected, found = (weights(each / "iter_6.pth") for each in (tmp_path / "whole", folder))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_the_look_before_the_first_step_changes_no_bit_and_the_best_has_a_row(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    plain = write_config({**config, "work_dir": str(tmp_path / "plain")}, tmp_path / "plain.yaml")
    config["default_hooks"] |= {"early_stop": {"metric": "psnr"}, "checkpoint": {"save_best": "psnr"}}
    watched = write_config(config, tmp_path / "run.yaml")
    assert command("train", plain) == 0 and command("train", watched) == 0
    expected, found = weights(tmp_path / "plain/iter_6.pth"), weights(tmp_path / "run/iter_6.pth")
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    rows = json.loads((tmp_path / "run/report.json").read_text())["rows"]
    best = read_checkpoint(tmp_path / "run/best_psnr.pth")["meta"]["iter"]
    assert best == 0 or rows[f"best by psnr ({best} iterations)"]["psnr"] == max(
        row["psnr"] for row in rows.values() if row is not rows["do nothing"]
    )


def test_only_the_last_of_several_phases_is_cut_short(tmp_path: Path) -> None:
    config = spoiling(tmp_path)
    config["model"]["phases"] = [{"name": "fidelity", "until": 6, "adversaries": []}, {"name": "adversary"}]
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    assert "stopped at 12" not in (tmp_path / "run/report.json").read_text()
    assert json.loads((tmp_path / "run/report.json").read_text())["iterations"] == 12


def test_what_cannot_be_watched_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = spoiling(tmp_path, early_stop={"metric": "psnrr"})
    line = refused(capsys, "train", write_config(config, tmp_path / "a.yaml"))
    assert "early_stop.metric: validation measures no 'psnrr'; did you mean 'psnr'?" in line
    line = refused(capsys, "train", write_config({**spoiling(tmp_path), "val_dataloader": None}, tmp_path / "b.yaml"))
    assert "default_hooks.early_stop: wants pictures to measure on" in line
    config = spoiling(tmp_path)
    config["default_hooks"]["checkpoint"].pop("save_best")
    config |= {"test_dataloader": config["val_dataloader"], "test_evaluator": config["val_evaluator"]}
    line = refused(capsys, "train", write_config(config, tmp_path / "c.yaml"))
    assert "by which early_stop ends the run; test on others" in line


@pytest.mark.parametrize("seen", ["psnr", [["0", 1.0]], [[0]], [[-1, 2.0]]])
def test_a_checkpoint_whose_measurements_are_none_is_refused(seen: Any, tmp_path: Path) -> None:
    from toolbox.engine.resumable import Wrong, _check_early_stop

    with pytest.raises((Wrong, UserError)):
        _check_early_stop({"metric": "psnr", "seen": seen})
