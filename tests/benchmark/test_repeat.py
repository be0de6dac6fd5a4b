"""Several seeds of one config: only final checkpoints count, nothing is done twice, nothing unlike is merged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from runs import command, pictures, sr_config, write_config
from toolbox.benchmark import repeat as repetition
from toolbox.benchmark.launch import LOG, launch


def in_this_process(arguments: list[str]) -> str | None:
    """A run without the seconds that a process takes to start."""
    launched.append(arguments)
    return None if command(*arguments) == 0 else "it failed"


launched: list[list[str]] = []
"""What was launched in this test."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Runs happen in this process; gives the list of them."""
    launched.clear()
    monkeypatch.setattr("toolbox.benchmark.repeat.in_a_process", in_this_process)
    return launched


def small(folder: Path, **sections: Any) -> Path:
    """A small SRGAN's config file."""
    return write_config(sr_config(folder) | sections, folder / "run.yaml")


def table(folder: Path) -> dict[str, Any]:
    """What repeat.json says."""
    return json.loads((folder / "run" / "seeds" / "repeat.json").read_text())


def test_two_seeds_are_trained_and_tabulated(
    tmp_path: Path, quick: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    file = small(tmp_path)
    assert command("repeat", file, "--seeds", 0, 1) == 0
    runs = tmp_path / "run" / "seeds"
    finals = [json.loads((runs / f"seed_{seed}" / "report.json").read_text()) for seed in (0, 1)]
    values = [report["rows"]["train (6 iterations)"]["psnr"] for report in finals]
    assert [report["seed"] for report in finals] == [0, 1] and values[0] != values[1]
    (row,) = table(tmp_path)["metrics"]
    assert row["metric"] == "psnr" and row["protocol"] == "psnr[Y601,crop2,uint8,peak255]"
    assert row["values"] == {"0": values[0], "1": values[1]}
    assert row["mean"] == pytest.approx(sum(values) / 2)
    assert row["spread"] == pytest.approx(abs(values[0] - values[1]) / 2**0.5)  # two values, n - 1
    assert row["do_nothing"] == pytest.approx(finals[0]["rows"]["do nothing"]["psnr"])
    content = table(tmp_path)
    assert (content["data"], content["checkpoint"], content["iterations"]) == ("validation", "final", 6)
    assert content["weights"] == "moving average, decay 0.9"
    text = (runs / "repeat.md").read_text()
    assert "2 seeds, final checkpoint (iteration 6), validation data" in text and "`psnr[Y601," in text
    assert "seed 1" in capsys.readouterr().out


def test_finished_runs_are_kept_an_interrupted_one_continues_and_seeds_can_be_added(
    tmp_path: Path, quick: list[list[str]]
) -> None:
    file = small(tmp_path)
    assert command("repeat", file, "--seeds", 0, 1) == 0
    before = table(tmp_path)["metrics"][0]["values"]
    run = tmp_path / "run" / "seeds" / "seed_1"
    for path in (*run.glob("iter_6.pth*"), run / "report.json"):
        path.unlink()  # as if it had been interrupted after iteration 4
    quick.clear()
    assert command("repeat", file, "--seeds", 0, 1, 2) == 0
    assert [(arguments[0], "--resume" in arguments) for arguments in quick] == [("train", True), ("train", False)]
    after = table(tmp_path)["metrics"][0]["values"]
    assert {seed: after[seed] for seed in before} == before and list(after) == ["0", "1", "2"]


def test_a_run_that_was_killed_before_its_last_validation_is_measured_on_its_final_checkpoint(
    tmp_path: Path, quick: list[list[str]]
) -> None:
    file = small(tmp_path)
    assert command("repeat", file, "--seeds", 0) == 0
    before = table(tmp_path)["metrics"][0]["values"]
    (tmp_path / "run" / "seeds" / "seed_0" / "report.json").unlink()
    quick.clear()
    assert command("repeat", file, "--seeds", 0) == 0
    assert [arguments[0] for arguments in quick] == ["test"]
    assert table(tmp_path)["metrics"][0]["values"] == pytest.approx(before)


def test_with_a_test_set_the_final_checkpoint_is_tested_on_it_whatever_was_best(
    tmp_path: Path, quick: list[list[str]]
) -> None:
    config = sr_config(tmp_path)
    dataset = {"type": "ImageFolder", "root": str(pictures(tmp_path / "held_out", 3, seed=9)), "key": "hr"}
    config |= {"test_dataloader": {"dataset": dataset}, "test_evaluator": config["val_evaluator"]}
    config["default_hooks"]["checkpoint"] = {"interval": 3, "save_best": "psnr"}
    file = write_config(config, tmp_path / "run.yaml")
    assert command("repeat", file, "--seeds", 0) == 0
    run = tmp_path / "run" / "seeds" / "seed_0"
    assert (run / "best_psnr.pth").is_file()
    report = json.loads((run / "test" / "report.json").read_text())
    assert report["final"] is True and report["data"] == "test" and report["checkpoint"].endswith("iter_6.pth")
    assert table(tmp_path)["metrics"][0]["values"] == {"0": report["rows"]["test"]["psnr"]}
    assert table(tmp_path)["data"] == "test" and table(tmp_path)["metrics"][0]["spread"] is None
    quick.clear()
    assert command("test", file, run / "iter_3.pth", "--work-dir", run / "test") == 0  # somebody looks at another one
    assert command("repeat", file, "--seeds", 0) == 0
    assert [arguments[0] for arguments in quick] == ["test"]
    assert table(tmp_path)["metrics"][0]["values"] == {"0": report["rows"]["test"]["psnr"]}


def test_a_seed_that_fails_is_listed_with_its_reason_and_the_others_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(arguments: list[str]) -> str | None:
        return "the gradient was not finite" if "randomness.seed=1" in arguments else in_this_process(arguments)

    monkeypatch.setattr("toolbox.benchmark.repeat.in_a_process", broken)
    assert command("repeat", small(tmp_path), "--seeds", 0, 1) == 1
    assert table(tmp_path)["failed"] == {"1": "the gradient was not finite"} and table(tmp_path)["seeds"] == [0]
    assert "seed 1 failed: the gradient was not finite" in capsys.readouterr().out
    assert "seed 1 failed" in (tmp_path / "run" / "seeds" / "repeat.md").read_text()


def test_each_command_runs_in_a_process_and_its_last_line_says_why_it_failed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert repetition.in_a_process(["plugins", "list"]) is None
    reason = repetition.in_a_process(["train", str(tmp_path / "nowhere.yaml")])
    assert reason is not None and "nowhere.yaml" in reason and not reason.startswith("error")
    assert "nowhere.yaml" in capfd.readouterr().err


def test_a_python_file_of_the_folder_takes_no_part_in_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "yaml.py").write_text("raise SystemExit('a foreign file was run')")
    monkeypatch.chdir(tmp_path)
    known = sys.version_info >= (3, 11)  # an older Python has no option for it
    assert repetition.in_a_process(["plugins", "list"]) == (None if known else "a foreign file was run")
    launched = launch(tmp_path, threads=1)
    said = (tmp_path / LOG).read_text()
    assert launched.state == "failed" and ("a foreign file" in said) != known and ("run.json" in said) == known


def test_a_folder_with_runs_of_another_config_is_refused(
    tmp_path: Path, quick: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    file = small(tmp_path)
    assert command("repeat", file, "--seeds", 0) == 0
    assert command("repeat", file, "--seeds", 0, "--cfg-options", "model.generator.width=4") == 2
    assert "holds runs of another config (model.generator.width: 8 there, 4 now)" in capsys.readouterr().err
    elsewhere = ("--work-dir", tmp_path / "narrow", "--cfg-options", "model.generator.width=4")
    assert command("repeat", file, "--seeds", 0, *elsewhere) == 0
    assert (tmp_path / "narrow" / "seed_0" / "iter_6.pth").is_file()


@pytest.mark.parametrize(
    ("arguments", "changes", "words"),
    [
        (["--seeds", 1, 1], {}, "--seeds 1: give every seed once"),
        (["--seeds", -1], {}, "--seeds -1"),
        (["--cfg-options", "randomness.seed=3"], {}, "said with --seeds"),
        ([], {"train_cfg": {}}, "train_cfg"),
        ([], {"val_dataloader": None, "val_evaluator": None}, "val_dataloader: the config has no data to measure on"),
        ([], {"default_hooks": {"report": None}}, "default_hooks.report: repeat reads every run's report"),
    ],
)
def test_what_cannot_be_repeated_is_refused(
    arguments: list[object], changes: dict[str, Any], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("repeat", small(tmp_path, **changes), *arguments) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def report_of(value: float | str, protocol: str) -> dict[str, Any]:
    """A run's report."""
    rows = {"do nothing": {"psnr": 20.0}, "final": {"psnr": value}}
    return {"protocols": {"psnr": protocol}, "rows": rows}


def test_unlike_protocols_are_never_merged(tmp_path: Path) -> None:
    made = repetition.Repetition({"train_cfg": {"max_iters": 1}}, tmp_path, tested=False)
    made.reports = {0: report_of(21.0, "psnr[Y]"), 1: report_of(25.0, "psnr[RGB]"), 2: report_of(23.0, "psnr[Y]")}
    first, second = made.rows()
    assert (first["protocol"], first["mean"], first["n"]) == ("psnr[Y]", 22.0, 2)
    assert first["spread"] == pytest.approx(2**0.5) and first["do_nothing"] == 20
    assert (second["protocol"], second["mean"], second["spread"]) == ("psnr[RGB]", 25.0, None)
    repetition.show(made, "mixed")
    text = (tmp_path / "repeat.md").read_text()
    assert "| psnr | 20.000 | 22.000 | 1.414 | 21.000 |  | 23.000 | `psnr[Y]` |" in text


def test_an_infinite_result_has_no_spread(tmp_path: Path) -> None:
    made = repetition.Repetition({"train_cfg": {"max_iters": 1}}, tmp_path, tested=False)
    made.reports = {0: report_of("inf", "p"), 1: report_of(25.0, "p")}
    (row,) = made.rows()
    assert row["mean"] == float("inf") and row["spread"] is None
    repetition.show(made, "infinite")
    assert json.loads((tmp_path / "repeat.json").read_text())["metrics"][0]["mean"] == "inf"


def test_ctrl_c_lets_the_run_save_and_the_same_command_continues(tmp_path: Path) -> None:
    file = small(tmp_path, train_cfg={"max_iters": 100000, "val_interval": 100000})
    arguments = [sys.executable, "-m", "toolbox.cli", "repeat", str(file), "--seeds", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run, deadline = tmp_path / "run" / "seeds" / "seed_0", time.time() + 120
    with subprocess.Popen(
        arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        try:
            while not list(run.glob("iter_*.pth")) and time.time() < deadline:
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _, text = process.communicate(timeout=120)
        finally:
            process.terminate()  # a test that fails leaves nothing behind that trains for hours
    assert process.returncode == 1 and "stopped by SIGINT" in text and "the same command continues" in text
    assert (run / "last_checkpoint").is_file() and not (tmp_path / "run" / "seeds" / "repeat.json").exists()


def test_plugins_and_options_reach_every_run(tmp_path: Path, quick: list[list[str]]) -> None:
    plugin = Path(__file__).parents[1] / "engine" / "dropout_plugin.py"
    option = "model.generator={_delete_: true, type: DropoutEnlarger, scale: 2}"
    assert command("repeat", small(tmp_path), "--seeds", 3, "-p", plugin, "--cfg-options", option) == 0
    (arguments,) = quick
    assert arguments[2:4] == ["-p", str(plugin)] and option in arguments and "randomness.seed=3" in arguments
