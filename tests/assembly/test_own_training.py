"""What `new` writes for every task trains, is applied and exported; any recipe takes own pictures by `--like`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import odd_folders
from odd_folders import TINY, new
from runs import command, pictures
from toolbox.assembly.build import seeded_algorithm
from toolbox.config import load_config
from toolbox.config.shipped import shipped_configs
from toolbox.training.starting import begin_with

pytestmark = pytest.mark.usefixtures("here")


def shared(folder: str, task: str) -> list[object]:
    """The folders of a task."""
    photos = pictures(Path(folder) / "photos", 3, size=96)
    style = pictures(Path(folder) / "style", 1, size=96, seed=5)
    return ["--data", photos, *(["--style", style] if task in ("style", "joint", "translate") else [])]


@pytest.mark.parametrize("task", ["restore", "enlarge", "finetune", "style", "joint", "translate"])
def test_what_is_written_for_a_task_trains_is_applied_and_exported(
    task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    new("--task", task, *shared("data", task))
    smaller = ["train_dataloader.dataset.transforms=[{type: RandomCrop, size: 64}]"] if task != "joint" else []
    assert command("train", "mine.yaml", "--cfg-options", *TINY, *smaller) == 0
    assert Path("work_dirs/mine/samples/iter_2.png").is_file()
    report = json.loads(Path("work_dirs/mine/report.json").read_text())
    assert ("lite0_gram" in report["protocols"]) == (task in ("style", "joint")), "what is learned is measured"
    choice = ["--style", "style"] if task == "joint" else []
    made = ["--config", "mine.yaml", "--checkpoint", "work_dirs/mine/iter_2.pth"]
    assert command("infer", "data/photos/00.png", "-o", "out", *made, *choice) == 0
    assert command("export", "mine.yaml", "work_dirs/mine/iter_2.pth", "-o", "mine.safetensors") == 0
    exported = "mine_generator_ab.safetensors" if task == "translate" else "mine.safetensors"
    out = capsys.readouterr().out
    assert f"--weights {exported}" in out and ("best_lite0_distance.pth" in out) == (task == "finetune")
    assert Path(exported).is_file()


@pytest.mark.parametrize("name", [name for name in shipped_configs() if name.startswith("own/")])
def test_a_recipe_for_own_pictures_fits_the_file_that_it_begins_with(name: str) -> None:
    config = load_config(shipped_configs()[name])
    if config.data.get("load_from"):
        begin_with(seeded_algorithm(config), config.data["load_from"])  # which refuses shapes that differ


@pytest.mark.parametrize("task", ["restore", "translate"])
def test_what_is_written_for_pairs_trains(task: str) -> None:
    folder = odd_folders.marked(Path("pairs")) if task == "restore" else odd_folders.beside(Path("pairs"))
    new("--task", task, "--data", folder)
    assert command("train", "mine.yaml", "--cfg-options", *TINY) == 0
    assert Path("work_dirs/mine/samples/iter_2.png").is_file()


def test_like_a_recipe_with_an_oracle_leaves_the_oracle_out() -> None:
    pictures(Path("a"), 4, size=96), pictures(Path("b"), 3, size=96, seed=9)
    made = new("--like", "style/cyclegan_small", "--data", "a", "--style", "b")
    assert "Oracle" not in Path("mine.yaml").read_text() and "Oracle" not in str(made)
    assert made["train_dataloader"]["dataset"]["root_b"] == "b"
    assert made["val_dataloader"]["dataset"]["roots"] == {"real_a": "a", "real_b": "b"}
    assert all(each.get("reference") != "oracle_b" for each in made["val_evaluator"])
    assert made["test_dataloader"] is None


def test_like_painters_learns_the_own_style_alone() -> None:
    pictures(Path("photos"), 4, size=256), pictures(Path("klee"), 2, size=96, seed=9)
    model = new("--like", "joint/painters_small", "--data", "photos", "--style", "klee")["model"]
    assert model["generator"]["styles"] == ["klee"]
    style = model["losses"]["style"]
    assert style["images"] == {"klee": "klee"}
    assert (style["size"], style["enlarge"]) == (600, 1.0), "whose pictures may have any size, not the recipe's"
