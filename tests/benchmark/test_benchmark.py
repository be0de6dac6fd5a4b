"""Whole benchmarks, as users run them: nothing is lost, nothing is done twice, a failure stays in its cell."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from grids import (
    FAULTS,
    VARIANTS,
    arguments,
    benchmarked,
    environment,
    report,
    results,
    run_killed,
    tiny_grid,
    trainings,
)

from forked import Forked
from runs import command, pictures

TWO = {"Vanilla": VARIANTS["Vanilla"], "hinge": VARIANTS["hinge"]}
RATES = {"usual": 1e-3, "high": 2e-3, "low": 1e-5, "absurd": 0.5}
FAULTY = {
    "own": {},
    "stranger": {"model.generator": {"type": "Stranger", "width": 6}},
    "raising": {"model.generator": {"type": "Raising"}},
    "greedy": {"model.generator": {"type": "Greedy"}},
    "not a number": {"model.generator": {"type": "NotANumber"}},
    "killed": {"model.generator": {"type": "Killed"}},
    "unbuildable": {"model.generator": {"type": "Unbuildable"}},
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A benchmark with a cell for each way to fail, in the folder `out` of the one that is given."""
    folder = tmp_path_factory.mktemp("faulty")
    grid = tiny_grid(
        folder, {"generator": FAULTY}, seeds=[0], baseline={"generator": "own"}, limits={"memory_gib": 8.0},
        options={"custom_hooks": [{"type": "HealthMonitor", "interval": 3}]},
    )  # fmt: skip
    assert benchmarked(grid, folder / "out", "-p", FAULTS) == 1  # some runs failed
    yield folder


def test_failures_stay_in_their_cells_with_their_reasons(faulty: Path) -> None:
    found = report(faulty / "out")
    failures = {each["id"]: (each["stage"], each["reason"]) for each in found["failures"]}
    assert failures["raising"] == ("training", "RuntimeError: this cell was bound to fail (cell_faults.py:37)")
    assert failures["greedy"][1].startswith("out of memory, 64.0 GiB more were wanted; make ")
    assert failures["not a number"][1].startswith("not finite: of 6 steps 6 of the generator")
    assert failures["killed"] == ("running", "ended by SIGKILL; the system's memory may have run out")
    assert [each["id"] for each in found["refused"]] == ["unbuildable"]
    assert "no such device" in found["refused"][0]["reason"]
    assert [cell["id"] for cell in found["tables"][0]["cells"]] == ["own", "stranger"]


def test_a_third_partys_generator_enters_the_grid_by_one_line(faulty: Path) -> None:
    (table,) = report(faulty / "out")["tables"]
    stranger = next(cell for cell in table["cells"] if cell["id"] == "stranger")
    assert stranger["costs"]["parameters"] == 6 * 28 + 3 * (6 * 9 + 1)
    assert stranger["costs"]["gmacs_16"] == pytest.approx(32 * 32 * (27 * 6 + 54 * 3) / 1e9)
    assert stranger["costs"]["latency_ms_16"] > 0 and stranger["costs"]["step_seconds"] > 0
    assert stranger["costs"]["peak_memory_mib"] > 100
    assert stranger["metrics"]["psnr"]["mean"] is not None and stranger["metrics"]["psnr"]["difference"]["noise"]


def test_numbers_are_those_of_the_test_command_on_the_same_checkpoint(faulty: Path, tmp_path: Path) -> None:
    found = report(faulty / "out")
    for key, run in found["runs"].items():
        if run["state"] == "done":
            folder = faulty / "out" / "runs" / key
            place = tmp_path / key
            assert (
                command("test", folder / "run.yaml", folder / "train" / "iter_6.pth", "-p", FAULTS, "--work-dir", place)
                == 0
            )
            assert json.loads((place / "report.json").read_text())["rows"]["test"] == run["metrics"]


def test_every_number_says_where_it_is_from(faulty: Path) -> None:
    found = report(faulty / "out")
    for key, run in found["runs"].items():
        assert run["folder"] == f"runs/{key}" and run["seed"] == 0 and "type: SRGAN" in run["config"]
    done = [run for run in found["runs"].values() if run["state"] == "done"]
    assert all(
        len(run["weights"]) == 64 and run["plugins"]["cnn"] and run["threads"] == 1 and run["log"] for run in done
    )
    assert all("g/pixel" in run["curves"] and "val/psnr" in run["curves"] for run in done)
    lines = (faulty / "out" / "results.csv").read_text().splitlines()
    assert lines[0] == "table,cell,generator,seed,quantity,value,protocol,budget,data,run"
    assert any("psnr[Y601,crop2,uint8,peak255]" in line for line in lines)
    assert len((faulty / "out" / "results.jsonl").read_text().splitlines()) == 2
    assert "| own" in (faulty / "out" / "report.md").read_text()


def test_pictures_of_all_cells_show_the_same_inputs(faulty: Path) -> None:
    (sample,) = report(faulty / "out")["samples"]
    assert {"lr", "bicubic", "hr"} <= set(sample["versions"]) and [each[1] for each in sample["cells"]] == [
        "own",
        "stranger",
    ]
    assert all(
        (faulty / "out" / path).is_file()
        for path in [*sample["versions"].values(), *(each[2] for each in sample["cells"])]
    )


def test_what_is_done_or_has_failed_is_not_done_again_unless_asked_to(faulty: Path) -> None:
    out = faulty / "out"
    before = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/log.txt")}
    assert benchmarked(faulty / "grid.yaml", out, "-p", FAULTS) == 1
    assert {path: path.stat().st_mtime_ns for path in out.glob("runs/*/log.txt")} == before


def test_a_benchmark_killed_at_any_moment_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    grid = tiny_grid(tmp_path, {"variant": TWO}, seeds=[0, 1], budget={"iterations": 60})
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    assert run_killed(arguments(grid, killed, "--slots", 2), [7.0, 6.0]) == 0
    assert benchmarked(grid, whole, "--slots", 1) == 0
    assert len(results(whole)) == 4 and results(killed) == results(whole)
    assert set(trainings(whole).values()) == {1}


def test_a_benchmark_that_is_asked_to_stop_saves_its_runs_and_continues(tmp_path: Path) -> None:
    grid = tiny_grid(tmp_path, {"variant": {"Vanilla": {}}}, seeds=[0], budget={"iterations": 3000})
    out = tmp_path / "out"
    with subprocess.Popen(
        arguments(grid, out), env=environment(), stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    ) as process:  # fmt: skip
        try:
            assert waited(lambda: list(out.glob("runs/*/train/*/vis_data/scalars.json")))
            process.terminate()
            _, said = process.communicate(timeout=120)
        finally:
            process.kill()  # its run ends with it
    assert process.returncode == 1 and "stopped with 1 of 1 runs left; the same command continues" in said
    (run,) = (out / "runs").iterdir()
    assert list(run.glob("train/iter_*.pth")) and not (run / "failure.json").exists()


def waited(until: Callable[[], Any]) -> bool:
    """Whether something came true within two minutes."""
    for _ in range(1200):
        if until():
            return True
        time.sleep(0.1)
    return False


def test_ray_makes_the_same_results(tmp_path: Path) -> None:
    grid = tiny_grid(tmp_path, {"variant": TWO}, seeds=[0])
    assert benchmarked(grid, tmp_path / "local", "--engine", "local") == 0
    made = arguments(grid, tmp_path / "ray", "--engine", "ray")
    equal = {"RAY_worker_niceness": "0"}  # Ray's workers would give way to whatever else runs, other tests too
    subprocess.run(made, env=environment() | equal, check=True, stdout=subprocess.DEVNULL)
    assert len(results(tmp_path / "ray")) == 2 and results(tmp_path / "ray") == results(tmp_path / "local")


def test_stages_are_trained_once_per_seed_and_pipelines_are_only_measured(tmp_path: Path) -> None:
    photos = str(pictures(tmp_path / "photos"))
    psnr = {"type": "PSNR", "prediction": "sr", "reference": "hr"}
    test_data = {"dataset": {"type": "ImageFolder", "root": photos, "key": "hr"}}
    grid = tiny_grid(
        tmp_path, {"start": {"anew": {}, "from the stage": {"load_from": "stage:L1"}}},
        seeds=[0, 1], stages={"L1": {"budget": {"iterations": 4}, "val_dataloader": None, "val_evaluator": None}},
        options={"test_dataloader": test_data, "test_evaluator": psnr},
    )  # fmt: skip
    assert benchmarked(grid, tmp_path / "out") == 0
    found = report(tmp_path / "out")
    assert len(list((tmp_path / "out" / "runs").iterdir())) == 6 and len(found["runs"]) == 4
    anew, begun = found["tables"][0]["cells"]
    assert begun["costs"]["training_minutes"] > 0 and begun["metrics"]["psnr"] != anew["metrics"]["psnr"]
    assert all(run["needs"] == ({} if run["cell"] == "anew" else run["needs"]) for run in found["runs"].values())


def test_halving_goes_on_with_the_best_and_ends_with_their_full_results(tmp_path: Path) -> None:
    grid = tiny_grid(
        tmp_path, {"rate": {name: {"optim_wrapper.generator.optimizer.lr": rate} for name, rate in RATES.items()}},
        seeds=[0], budget={"iterations": 8}, stages={"L1": {"budget": {"iterations": 2}}},
        options={"load_from": "stage:L1"}, halving={"rungs": [0.5], "keep": 0.5, "metric": "psnr"},
    )  # fmt: skip
    halved, whole = tmp_path / "halved", tmp_path / "whole"
    assert benchmarked(grid, halved) == 0
    found, winners = report(halved), results(halved)
    assert len(found["cut"]) == 2 and all(each["iteration"] == 4 for each in found["cut"])
    assert len(winners) == 2 and not {cell for cell, _ in winners} & {each["id"] for each in found["cut"]}
    for run in winners.values():  # as if it had been killed behind the rung: nobody else is left behind now
        (halved / "runs" / run["key"] / "result.json").unlink()
    assert benchmarked(grid, halved) == 0
    assert results(halved) == winners
    alone = {cell: {"optim_wrapper.generator.optimizer.lr": RATES[cell]} for cell, _ in winners}
    full = tiny_grid(
        tmp_path, {"rate": alone}, seeds=[0], budget={"iterations": 8}, stages={"L1": {"budget": {"iterations": 2}}},
        options={"load_from": "stage:L1"},
    )  # fmt: skip
    assert benchmarked(full, whole) == 0
    assert results(whole) == winners  # stopping at the rung changed no bit


def test_a_run_that_is_killed_before_its_last_validation_is_validated_and_costed_when_it_continues(
    faulty: Path,
) -> None:
    out = faulty / "out"
    (key,) = (key for key, run in report(out)["runs"].items() if run["cell"] == "own")
    folder = out / "runs" / key
    before = json.loads((folder / "result.json").read_text())
    for name in (
        "result.json",
        "train/costs.json",
        "train/report.json",
    ):  # what a kill behind the last checkpoint leaves
        (folder / name).unlink()
    made = [sys.executable, "-m", "toolbox.benchmark.worker", str(folder)]
    with Forked(made, env=environment(), stdin=subprocess.PIPE) as worker:
        assert worker.wait() == 0  # `run` would close its input, and so end it
    after = json.loads((folder / "result.json").read_text())
    assert after["tested"]["rows"] == before["tested"]["rows"]
    assert after["trained"]["weights"] == before["trained"]["weights"]
    assert json.loads((folder / "train" / "costs.json").read_text())["iterations"] == 6
    assert after["trained"]["skipped_steps"] == {"generator": 0, "discriminator": 0}
    assert "train (6 iterations)" in json.loads((folder / "train" / "report.json").read_text())["rows"]
