"""Trainings in a notebook: curves and samples in place while it trains, and no trace of it elsewhere."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from runs import sr_config
from toolbox import load_config
from toolbox.assembly import run as runs
from toolbox.engine.live import MOST, view
from toolbox.io.notebook import place_in_cell

ROOT = Path(__file__).parents[2]
RUN = """
import sys, nbformat
from nbclient import NotebookClient

read = nbformat.read(sys.argv[1], 4)
NotebookClient(read, timeout=300, kernel_name="python3").execute()
nbformat.write(read, sys.argv[1])
"""


def trained(folder: Path, capsys: pytest.CaptureFixture[str], **options: Any) -> tuple[dict[str, Any], str]:
    """The weights of a small run, and what it printed."""
    folder.mkdir()
    (folder / "run.yaml").write_text(yaml.safe_dump(sr_config(folder)))
    runs.train(load_config(folder / "run.yaml"), **options)
    state = torch.load(folder / "run/iter_6.pth", weights_only=True)["state_dict"]
    return {name: each for name, each in state.items() if isinstance(each, torch.Tensor)}, capsys.readouterr().out


def test_a_run_is_shown_with_its_curves_and_newest_samples_and_computes_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []
    live, quiet = trained(tmp_path / "live", capsys, show=shown.append)
    plain, lines = trained(tmp_path / "plain", capsys)
    assert plain and live.keys() == plain.keys() and all(torch.equal(live[name], plain[name]) for name in plain)
    assert "2/6" in lines and "validation" in lines and "2/6" not in quiet and "validation" not in quiet
    assert "2 of 6 iterations" in shown[0] and "<circle" in shown[0] and "data:image/png" not in shown[0]
    assert "6 of 6 iterations" in shown[-1] and "<polyline" in shown[-1] and "data:image/png;base64," in shown[-1]
    assert all(f"<b>{name}</b>" in shown[-1] for name in ("g/pixel", "val/psnr")) and "<b>d" in shown[-1]
    assert "<script" not in shown[-1] and "http" not in shown[-1]


def test_a_long_curve_is_thinned_keeps_its_end_and_passes_over_what_is_not_finite() -> None:
    curve = [(n, float("nan") if n == 100 else n / 7) for n in range(1, 5 * MOST + 3)]
    made = view("<b>", {"a<b": curve}, None)
    points = made.split('points="')[1].split('"')[0].split()
    assert MOST * 0.8 < len(points) <= MOST + 1 and points[-1].startswith("240.0,0.0") and "nan" not in made
    assert "&lt;b&gt;" in made and "a&lt;b" in made
    assert "nan" in view("", {"x": [(1, float("nan"))]}, None)


def test_outside_a_notebook_nothing_is_shown_and_ipython_stays_away() -> None:
    assert place_in_cell() is None
    code = "import sys; from toolbox.io.notebook import place_in_cell; assert place_in_cell() is None"
    assert subprocess.run([sys.executable, "-c", f"{code}; assert 'IPython' not in sys.modules"]).returncode == 0


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The notebook of the documentation, run by a kernel, over two iterations instead of a hundred."""
    source = json.loads((ROOT / "docs/first_steps.ipynb").read_text(encoding="utf-8"))
    made = copy.deepcopy(source)
    for cell in made["cells"]:
        assert not cell.get("outputs"), "outputs are not committed"
        text = (
            "".join(cell["source"]).replace('max_iters": 100', 'max_iters": 2').replace('interval": 50', 'interval": 2')
        )
        cell["source"] = text.replace('interval": 10', 'interval": 1')
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "configs").symlink_to(ROOT / "configs")
    (folder / "docs").mkdir()
    file = folder / "docs/first_steps.ipynb"
    file.write_text(json.dumps(made), encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "IPYTHONDIR": str(folder), "JUPYTER_PLATFORM_DIRS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", RUN, str(file)]
    done = subprocess.run(command, cwd=folder / "docs", env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert list((folder / "docs/work_dirs/first_steps/enlarged").iterdir())
    return json.loads(file.read_text(encoding="utf-8"))


def test_the_notebook_runs_in_a_kernel_and_shows_the_training_in_one_place(notebook: dict[str, Any]) -> None:
    (cell,) = (each for each in notebook["cells"] if "run = train(" in "".join(each["source"]))
    views = [each for each in cell["outputs"] if each["output_type"] == "display_data"]
    html = ["".join(each["data"]["text/html"]) for each in views if "text/html" in each["data"]]
    live = [each for each in html if "of 2 iterations" in each]
    assert len(live) == 1 and "2 of 2 iterations" in live[0]  # each update took the place of the one before
    assert "<polyline" in live[0] and "data:image/png;base64," in live[0]
    text = "".join("".join(each.get("text", "")) for each in cell["outputs"] if each["output_type"] == "stream")
    assert "s/it" not in text


def test_every_picture_of_the_notebook_is_there(notebook: dict[str, Any]) -> None:
    pictures = [
        each for cell in notebook["cells"] for each in cell.get("outputs", ()) if "image/png" in each.get("data", {})
    ]
    assert len(pictures) == 4
