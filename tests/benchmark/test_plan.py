"""What a benchmark would run: keys, budgets, and whose folder it is, without running."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from grids import VARIANTS, tiny_grid

from forked import standing_in
from runs import command
from toolbox.benchmark.cells import cells_of
from toolbox.benchmark.conduct import Conductor, claimed
from toolbox.benchmark.engines import LocalEngine
from toolbox.benchmark.grid import read_grid
from toolbox.benchmark.plan import Order, Run, plan_runs
from toolbox.benchmark.results import budget_of
from toolbox.plugins.manager import PluginManager, manager, use

# ---------------------------------------------------------------------- keys and budgets, without running


def planned(folder: Path, threads: int = 1, plugins: tuple[str, ...] = (), **settings: Any) -> list[Any]:
    """The runs of a tiny grid."""
    grid = read_grid(tiny_grid(folder, {"variant": {"Vanilla": VARIANTS["Vanilla"]}}, **settings))
    use(PluginManager(list(plugins)))
    conductor = Conductor(grid, Order(folder / "out", plugins, threads), LocalEngine(1))
    runs = conductor.plan()
    use(None)
    return runs


def test_a_key_changes_with_whatever_may_change_a_result_and_with_nothing_else(tmp_path: Path) -> None:
    (first,) = planned(tmp_path, seeds=[0])
    (again,) = planned(tmp_path, seeds=[0], title="another title", samples=1, description="other words")
    assert first.key == again.key
    plugin = tmp_path / "plugin.py"
    plugin.write_text('"""A plugin."""\n')
    keys = {first.key}
    keys |= {run.key for run in planned(tmp_path, seeds=[1])}
    keys |= {run.key for run in planned(tmp_path, seeds=[0], threads=2)}
    keys |= {run.key for run in planned(tmp_path, seeds=[0], budget={"iterations": 7})}
    keys |= {run.key for run in planned(tmp_path, seeds=[0], plugins=(str(plugin),))}
    plugin.write_text('"""A plugin, changed."""\n')
    keys |= {run.key for run in planned(tmp_path, seeds=[0], plugins=(str(plugin),))}
    assert len(keys) == 6
    picture = sorted((tmp_path / "photos").iterdir())[0]
    picture.write_bytes(picture.read_bytes() + b"\0")
    grid = read_grid(tmp_path / "grid.yaml")
    runs = plan_runs(grid, Conductor(grid, Order(tmp_path / "out"), LocalEngine(1)).cells, Order(tmp_path / "out"),
                     manager(), dict)  # fmt: skip
    assert not {run.key for run in runs} & keys


def test_a_budget_of_minutes_becomes_iterations_by_a_probe_that_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolbox.benchmark.launch.subprocess", standing_in())
    (run,) = planned(tmp_path, seeds=[0], budget={"minutes": 0.1})
    (probe,) = (tmp_path / "out" / "probes").glob("*/probe.json")
    step = json.loads(probe.read_text())["step_seconds"]
    assert run.iterations == int(float(f"{6 / step:.1e}")) and run.iterations > 10
    made = probe.stat().st_mtime_ns
    (again,) = planned(tmp_path, seeds=[0], budget={"minutes": 0.1})
    assert again == run and probe.stat().st_mtime_ns == made


@pytest.mark.parametrize(
    ("budget", "threads", "words"),
    [
        ({"minutes": 1}, 1, "1 minute of 1 thread"),
        ({"minutes": 1.5}, 2, "1.5 minutes of 2 threads"),
        ({"iterations": 6}, 1, "6 iterations"),
    ],
)
def test_a_table_says_its_budget_in_words(tmp_path: Path, budget: dict[str, float], threads: int, words: str) -> None:
    grid = read_grid(tiny_grid(tmp_path, {"variant": {"x": {}}}, budget=budget))
    run = Run(key="", cell="x", choice={}, data="", seed=0, iterations=6, folder="", threads=threads)
    assert budget_of(run, grid) == words


def test_a_folder_of_another_grid_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = tiny_grid(tmp_path / "a", {"variant": {"Vanilla": {}}})
    other = tiny_grid(tmp_path / "b", {"variant": {"Vanilla": {}}})
    out = tmp_path / "out"
    out.mkdir()
    (out / "grid.json").write_text(json.dumps({"file": str(first.resolve())}))
    assert command("benchmark", other, "-o", out, "--dry-run") == 2
    assert "holds the benchmark of" in capsys.readouterr().err


def test_cells_of_one_config_share_a_run_and_a_stage_is_another(tmp_path: Path) -> None:
    stages = {"S": {"model.variant": {"type": "Vanilla"}, "budget": {"iterations": 6}}}
    stage, cell = planned(tmp_path, seeds=[0], stages=stages)
    assert stage.key != cell.key
    grid = read_grid(tiny_grid(tmp_path, {"variant": {"x": {}, "y": {}}}, seeds=[0]))
    cells = cells_of(grid)
    x, y = plan_runs(grid, cells, Order(tmp_path / "out"), manager(), lambda cells: {})
    assert x.key == y.key and cells[1].notes == ["is the same as x, and run once for both"]


def test_two_benchmarks_do_not_share_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tiny_grid(tmp_path, {"variant": {"Vanilla": {}}})
    with claimed(read_grid(file), tmp_path / "out"):
        assert command("benchmark", file, "-o", tmp_path / "out", "--dry-run") == 2
    said = capsys.readouterr().err
    assert f"process {os.getpid()} on " in said and "is making a benchmark here" in said
    with claimed(read_grid(file), tmp_path / "out"):
        pass


def test_what_needs_a_stage_that_cannot_be_probed_is_refused(tmp_path: Path) -> None:
    grid = read_grid(tiny_grid(
        tmp_path, {"start": {"anew": {"train_cfg.max_iters": 6}, "begun": {"load_from": "stage:L1"}}}, seeds=[0],
        stages={"L1": {"budget": {"minutes": 1.0}}},
    ))  # fmt: skip
    cells = cells_of(grid)
    next(cell for cell in cells if cell.stage).refused = "a probe of it failed"
    runs = plan_runs(grid, cells, Order(tmp_path / "out"), manager(), lambda cells: {})
    assert [run.cell for run in runs] == ["anew"]
    assert "needs the stage L1, which is refused" in str(cells[-1].refused)
