"""The health monitor in real runs: it changes nothing until it acts, and its first aid brings a run to a finite end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from runs import command, sr_config, write_config
from toolbox.weights.checkpoint import read_checkpoint
from two_ranks import on_two_ranks

RATES = {
    "generator": {"optimizer": {"type": "SGD", "lr": 30.0}},
    "discriminator": {"optimizer": {"type": "Adam", "lr": 1e-3}},
}
AID = {"exploding": ["roll_back", "lower_rates"], "not_finite": ["roll_back", "lower_rates"]}


def unstable(folder: Path, **monitor: Any) -> dict[str, Any]:
    """A super-resolution run at a rate at which it runs away."""
    config = sr_config(folder)
    config["model"]["losses"] = {"pixel": {"type": "MSELoss", "weight": 10.0}}
    config["optim_wrapper"] = RATES
    config["param_scheduler"] = {"generator": []}
    config["train_cfg"] = {"max_iters": 40, "val_interval": 40}
    config["default_hooks"] = {"checkpoint": {"interval": 20}, "logger": {"interval": 5}, "samples": None}
    config["custom_hooks"] = [{"type": "HealthMonitor", "interval": 1, **monitor}]
    return config


def looks(work_dir: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (work_dir / "health.jsonl").read_text().splitlines()]


def weights(work_dir: Path) -> dict[str, torch.Tensor]:
    newest = sorted(work_dir.glob("iter_*.pth"), key=lambda path: int(path.stem[5:]))[-1]
    return {
        name: value for name, value in read_checkpoint(newest)["state_dict"].items() if isinstance(value, torch.Tensor)
    }


def test_a_run_that_runs_away_is_named_first_and_first_aid_brings_it_to_a_finite_end(tmp_path: Path) -> None:
    command("train", write_config(unstable(tmp_path), tmp_path / "alone.yaml"))  # it may end by NaN, or far away
    told = [entry for entry in looks(tmp_path / "run") if entry["verdicts"]]
    first = told[0]
    assert "exploding" in first["verdicts"][0] and all(value == value for value in first["measures"].values())
    config = {**unstable(tmp_path, actions=AID, factor=0.1, roll_backs=8), "work_dir": str(tmp_path / "helped")}
    assert command("train", write_config(config, tmp_path / "helped.yaml")) == 0
    entries = looks(tmp_path / "helped")
    assert 0 < entries[-1]["rolled_back"] <= 8
    assert all(torch.isfinite(value).all() for value in weights(tmp_path / "helped").values())
    assert entries[-1]["measures"]["loss/g/pixel"] < 2 * entries[0]["measures"]["loss/g/pixel"]
    assert (tmp_path / "helped/health.png").is_file()


def test_a_run_that_cannot_be_helped_ends_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = unstable(tmp_path, actions=AID, factor=0.99, roll_backs=2)
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 1
    assert "fell ill again after 2 roll-backs" in capsys.readouterr().err
    last = looks(tmp_path / "run")[-1]
    assert last["verdicts"] and last["rolled_back"] == 3 and (tmp_path / "run/health.png").is_file()


def test_a_run_that_runs_away_between_two_looks_is_looked_at_out_of_turn(tmp_path: Path) -> None:
    config = unstable(tmp_path, actions=AID, factor=0.03, roll_backs=8)
    config["custom_hooks"][0]["interval"] = 1000
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    entries = looks(tmp_path / "run")
    assert entries[0]["iteration"] == 1 and entries[1]["iteration"] == 10 and entries[1]["acted"]
    assert all(torch.isfinite(value).all() for value in weights(tmp_path / "run").values())


def test_watching_changes_no_bit_and_a_resumed_run_keeps_its_history(tmp_path: Path) -> None:
    plain = sr_config(tmp_path)
    plain["work_dir"] = str(tmp_path / "plain")
    assert command("train", write_config(plain, tmp_path / "plain.yaml")) == 0
    watched = {
        **plain,
        "work_dir": str(tmp_path / "watched"),
        "custom_hooks": [{"type": "HealthMonitor", "interval": 2}],
    }
    file = write_config(watched, tmp_path / "watched.yaml")
    assert command("train", file) == 0
    expected, found = weights(tmp_path / "plain"), weights(tmp_path / "watched")
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    assert [entry["iteration"] for entry in looks(tmp_path / "watched")] == [1, 2, 4, 6]
    (tmp_path / "watched/iter_6.pth").unlink()
    (tmp_path / "watched/last_checkpoint").write_text("iter_4.pth\n")
    assert command("train", file, "--resume") == 0
    assert [entry["iteration"] for entry in looks(tmp_path / "watched")] == [1, 2, 4, 6]
    assert all(torch.equal(value, weights(tmp_path / "watched")[name]) for name, value in expected.items())


@pytest.mark.parametrize(
    "model",
    [
        {"one_graph": True, "variant": {"type": "WGAN", "d_steps": 2}},
        {
            "variant": {
                "type": "SpectralNorm",
                "base": {"type": "Hinge"},
                "regularizers": [{"type": "R1", "every": 2}],
                "augmentations": [{"type": "ADA", "start": 0.5}, {"type": "InstanceNoise", "until": 4}],
            }
        },
    ],
    ids=["a critic whose logits serve twice", "spectral norm, lazy R1, ADA and fading noise"],
)
def test_watching_changes_no_bit_of_runs_with_states_of_their_own(tmp_path: Path, model: dict[str, Any]) -> None:
    config = sr_config(tmp_path, **model)
    for name, hooks in {"plain": [], "watched": [{"type": "HealthMonitor", "interval": 1}]}.items():
        each = {**config, "work_dir": str(tmp_path / name), "custom_hooks": hooks}
        assert command("train", write_config(each, tmp_path / f"{name}.yaml")) == 0
    expected, found = weights(tmp_path / "plain"), weights(tmp_path / "watched")
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    penalties = [entry for entry in looks(tmp_path / "watched") if "penalty/d/r1" in entry["measures"]]
    assert len(penalties) == (3 if "regularizers" in model["variant"] else 0)  # in its turns


AIDED = {"d_wins": ["pause_discriminator", "lower_rates"]}


def aided(folder: Path) -> dict[str, Any]:
    """A run whose discriminators rest and whose rates fall at every look."""
    config = sr_config(folder)
    config["custom_hooks"] = [
        {"type": "HealthMonitor", "interval": 1, "actions": AIDED, "looks": 1, "sure": 0.0, "pause": 2, "factor": 0.5}
    ]
    config["train_cfg"] = {"max_iters": 2, "val_interval": 2}
    return config


def test_discriminators_rest_and_rates_fall_when_asked(tmp_path: Path) -> None:
    assert command("train", write_config(aided(tmp_path), tmp_path / "run.yaml")) == 0
    checkpoint = read_checkpoint(tmp_path / "run/iter_2.pth")
    rates = {name: state["param_groups"][0]["lr"] for name, state in checkpoint["optimizer"].items()}
    assert rates["discriminator"] == pytest.approx(1e-3 / 4)
    assert rates["generator"] == pytest.approx(1e-4 / 4)  # the schedule's last, a tenth, twice halved
    plain = sr_config(tmp_path)
    plain["train_cfg"], plain["work_dir"] = {"max_iters": 1, "val_interval": 1}, str(tmp_path / "plain")
    plain["default_hooks"]["checkpoint"] = {"interval": 1}
    assert command("train", write_config(plain, tmp_path / "plain.yaml")) == 0
    once, rested = weights(tmp_path / "plain"), weights(tmp_path / "run")
    judges = [name for name in once if name.startswith("discriminator.")]
    assert judges and all(torch.equal(once[name], rested[name]) for name in judges)


@pytest.mark.parametrize("longer", [False, True], ids=["the same schedule", "a longer schedule, replayed"])
def test_a_resumed_run_keeps_its_lowered_rates(tmp_path: Path, longer: bool) -> None:
    config = aided(tmp_path)
    config["param_scheduler"] = {"generator": [{"type": "MultiStepLR", "milestones": [1], "gamma": 0.1, "end": 100}]}
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file) == 0
    config["train_cfg"]["max_iters"], config["custom_hooks"] = 4, []
    if longer:
        config["param_scheduler"]["generator"][0]["end"] = 200
    assert command("train", write_config(config, file), "--resume") == 0
    state = read_checkpoint(tmp_path / "run/iter_4.pth")["optimizer"]
    assert state["discriminator"]["param_groups"][0]["lr"] == pytest.approx(1e-3 / 4)
    assert state["generator"]["param_groups"][0]["lr"] == pytest.approx(1e-4 / 4)


def ranks_with_first_aid(folder: Path, rank: int) -> dict[str, Any]:
    """One of two ranks of a run that runs away and is helped: what it holds at the end."""
    from toolbox.assembly.runner import build_runner
    from toolbox.config import load_config

    config = load_config(folder / "run.yaml", {"launcher": "pytorch"})
    runner = build_runner(config)
    runner.train()
    return {name: p.detach().clone() for name, p in runner.algorithm.named_parameters()}


def test_two_ranks_decide_alike_and_stay_identical_through_roll_backs(tmp_path: Path) -> None:
    config = unstable(tmp_path, actions=AID, factor=0.1, roll_backs=8)
    config["train_cfg"] = {"max_iters": 12, "val_interval": 12}
    write_config(config, tmp_path / "run.yaml")
    first, second = on_two_ranks(ranks_with_first_aid, tmp_path)
    assert looks(tmp_path / "run")[-1]["rolled_back"] > 0
    names = {name.replace(".module.", "."): name for name in first}
    assert names and all(torch.equal(first[name], second[name]) for name in first)
    assert all(torch.isfinite(value).all() for value in first.values())
