"""Sentinels in real runs: each speaks of its fault alone, once, and none changes a bit of what is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hard_runs import HARD, train

from runs import command, sr_config, style_config, write_config
from toolbox.weights.checkpoint import read_checkpoint
from two_ranks import on_two_ranks

PLUGIN = Path(__file__).with_name("faulty_plugin.py")
PHOTOS = Path(__file__).parents[2] / "configs/demo/photos/train"
SENTINELS = ["ColorInversionSentinel", "ModeCollapseSentinel", "CheckerboardSentinel", "SteganographySentinel"]
FAULTS = {
    "ColorInversionSentinel": ("Negative", "Negative", "colours are being inverted", "luminance_correlation"),
    "ModeCollapseSentinel": ("Collapsed", "Honest", "mode collapse", "output_diversity"),
    "CheckerboardSentinel": ("Gridded", "Honest", "a checkerboard", "checkerboard"),
    "SteganographySentinel": ("Hiding", "Revealing", "steganography", "cycle_noise"),
}


def watched(folder: Path, there: str, back: str, sentinels: list[str], **settings: Any) -> Path:
    """A CycleGAN between photographs, with two generators and some sentinels; returns its config file."""
    config = style_config(folder, generator_ab={"type": there}, generator_ba={"type": back})
    data = config["train_dataloader"]["dataset"]
    data |= {
        "root_a": str(PHOTOS / "a"),
        "root_b": str(PHOTOS / "b"),
        "transforms": [{"type": "RandomCrop", "size": 64}],
    }
    config["train_cfg"] = {"max_iters": 6, "val_interval": 6}
    config["custom_hooks"] = [{"type": name, "interval": 2, **settings} for name in sentinels]
    return write_config(config, folder / "run.yaml")


def scalars(work_dir: Path, name: str) -> list[float]:
    """What scalars.json says of one name."""
    text = "".join(path.read_text() for path in sorted(work_dir.glob("*/vis_data/scalars.json")))
    return [line[name] for line in map(json.loads, text.splitlines()) if name in line]


def log(work_dir: Path) -> str:
    """The text of a run's log files."""
    return "".join(path.read_text() for path in work_dir.glob("*/*.log"))


@pytest.mark.parametrize("sentinel", FAULTS)
def test_a_sentinel_speaks_of_its_fault_once_and_logs_its_number(
    sentinel: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there, back, words, quantity = FAULTS[sentinel]
    assert command("train", watched(tmp_path, there, back, [sentinel]), "-p", PLUGIN) == 0
    shown = capsys.readouterr()
    assert log(tmp_path / "run").count(words) == 1
    assert words in shown.out + shown.err
    assert len(scalars(tmp_path / "run", f"sentinel/{quantity}")) == 3
    assert f"sentinel/{quantity} " in shown.out


def test_all_sentinels_are_silent_on_an_honest_translator(tmp_path: Path) -> None:
    assert command("train", watched(tmp_path, "Honest", "Honest", SENTINELS), "-p", PLUGIN) == 0
    assert not any(words in log(tmp_path / "run") for *_, words, _ in FAULTS.values())
    correlations = scalars(tmp_path / "run", "sentinel/luminance_correlation")
    assert correlations == pytest.approx([1.0] * 3, abs=0.02)
    assert scalars(tmp_path / "run", "sentinel/cycle_noise") == pytest.approx([1.0] * 3, abs=0.2)


def test_the_second_output_can_be_watched_under_a_name_of_its_own(tmp_path: Path) -> None:
    file = watched(tmp_path, "Honest", "Negative", ["ColorInversionSentinel"], output="fake_a")
    assert command("train", file, "-p", PLUGIN) == 0
    assert max(scalars(tmp_path / "run", "sentinel/luminance_correlation/fake_a")) < -0.9
    assert "fake_a: the output's brightness" in log(tmp_path / "run")


def test_a_sentinel_speaks_again_after_it_was_well(tmp_path: Path) -> None:
    from toolbox_plugins.sentinels.color_inversion import ColorInversionSentinel

    class Scripted(ColorInversionSentinel):
        script = [-0.5, -0.4, 0.3, -0.2]

        def measure(self, algorithm: Any, batch: Any) -> torch.Tensor:
            return torch.tensor(self.script.pop(0))

    class Logger:
        lines: list[tuple[str, int]] = []

        def warning(self, text: str, iteration: int, *_: object) -> None:
            self.lines.append(("warning", iteration))

        def info(self, text: str, iteration: int, *_: object) -> None:
            self.lines.append(("info", iteration))

    class Runner:
        rank, logger = 0, Logger()
        algorithm = type("A", (torch.nn.Module,), {"networks": ()})()

    sentinel, logs = Scripted(interval=1), {}
    for iteration in range(4):
        sentinel.after_train_iter(Runner(), iteration, {}, logs)
    assert Logger.lines == [("warning", 1), ("info", 3), ("warning", 4)]
    assert logs["sentinel/luminance_correlation"] == pytest.approx(-0.2)


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        ({"type": "ColorInversionSentinel", "output": "fake_c"}, "CycleGAN has no output 'fake_c'; did you mean"),
        ({"type": "SteganographySentinel", "back": "real_a"}, "has no output 'real_a'"),
        (
            {"type": "ColorInversionSentinel", "interval": 0},
            "custom_hooks.0: ColorInversionSentinel: interval must be at least 1",
        ),
        ({"type": "CheckerboardSentinel", "treshold": 3}, "did you mean 'threshold'?"),
    ],
)
def test_a_sentinel_that_cannot_work_is_refused(
    hook: dict[str, Any], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = style_config(tmp_path) | {"custom_hooks": [hook]}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 2
    assert words in capsys.readouterr().err


def test_a_cycle_needs_two_outputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = sr_config(tmp_path) | {"custom_hooks": [{"type": "SteganographySentinel"}]}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 2
    assert "SteganographySentinel: SRGAN has one output, sr" in capsys.readouterr().err


def same_content(first: Any, second: Any, place: str = "") -> list[str]:
    """Where two checkpoints differ."""
    if isinstance(first, dict):
        names = first.keys() | second.keys()
        return [p for name in names for p in same_content(first.get(name), second.get(name), f"{place}.{name}")]
    if isinstance(first, (list, tuple)) and len(first) == len(second):
        return [p for i, each in enumerate(first) for p in same_content(each, second[i], f"{place}.{i}")]
    if isinstance(first, torch.Tensor):
        return [] if torch.equal(first, second) else [place]
    return [] if first == second else [place]


def differences(plain: Path, watched: Path) -> list[str]:
    """Where two runs' checkpoints differ, beside their names."""
    first, second = read_checkpoint(plain), read_checkpoint(watched)
    for content in (first, second):
        content["meta"].pop("experiment_name")
        content["message_hub"].pop("runtime_info")
    return same_content(first, second)


def with_and_without(folder: Path, name: str, *arguments: object) -> None:
    """A run without sentinels, the same with all that its algorithm can have, and that one interrupted and resumed."""
    config = HARD[name](folder)
    config["train_cfg"] = {"max_iters": 8, "val_interval": 3}
    plain = write_config(config, folder / "plain.yaml")
    sentinels = SENTINELS if name == "CycleGAN" else SENTINELS[:3]
    config["custom_hooks"] = [{"type": each, "interval": 1 + i} for i, each in enumerate(sentinels)]
    file = write_config(config, folder / "run.yaml")
    assert train(plain, "--work-dir", folder / "plain", *arguments) == 0
    assert train(file, "--work-dir", folder / "watched", *arguments) == 0
    options = ("--cfg-options", "train_cfg.max_iters=4", "param_scheduler.generator.0.end=8")
    assert train(file, "--work-dir", folder / "resumed", *options, *arguments) == 0
    assert train(file, "--work-dir", folder / "resumed", "--resume", *arguments) == 0


@pytest.mark.parametrize("name", HARD)
def test_a_run_is_the_same_bit_for_bit_with_and_without_sentinels(name: str, tmp_path: Path) -> None:
    with_and_without(tmp_path, name)
    plain = tmp_path / "plain" / "iter_8.pth"
    assert differences(plain, tmp_path / "watched" / "iter_8.pth") == []
    resumed = [place for place in differences(plain, tmp_path / "resumed" / "iter_8.pth") if "state_dict" in place]
    assert resumed == []


def ranks_with_and_without(folder: Path, rank: int) -> dict[str, Any]:
    """The same on one of two ranks."""
    with_and_without(folder, "CycleGAN", "--launcher", "pytorch")
    return {}


def test_two_ranks_train_alike_with_and_without_and_both_are_measured(tmp_path: Path) -> None:
    on_two_ranks(ranks_with_and_without, tmp_path)
    assert differences(tmp_path / "plain" / "iter_8.pth", tmp_path / "watched" / "iter_8.pth") == []
    for quantity in ("luminance_correlation", "output_diversity", "checkerboard", "cycle_noise"):
        assert scalars(tmp_path / "watched", f"sentinel/{quantity}")


@pytest.mark.parametrize("model", ["UNIT", "MUNIT", "SRGAN"])
def test_latent_styled_and_enlarging_algorithms_are_watched_through_predict_alone(model: str) -> None:
    from matrix import VARIANTS, algorithm_class
    from toolbox.plugins.registry import registry
    from toolbox.testing import assemble, batch_for

    algorithm = assemble(algorithm_class(model), VARIANTS["LSGAN"])
    batch = batch_for(algorithm, count=3, size=64)
    runner = type("R", (), {"algorithm": algorithm, "rank": 0, "logger": type("L", (), {"warning": lambda *a: None})()})
    for name in SENTINELS if model != "SRGAN" else SENTINELS[:3]:
        sentinel, logs = registry("hooks").get(name)(interval=1), {}
        sentinel.before_train(runner)
        sentinel.after_train_iter(runner, 0, batch, logs)
        assert all(torch.isfinite(value) for value in logs.values()) and len(logs) == 1
    assert all(module.training for module in algorithm.modules())
