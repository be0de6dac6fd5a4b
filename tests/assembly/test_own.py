"""`new`: own folders of every odd kind become a config that trains, or one line that says why not."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

import odd_folders
from odd_folders import TINY, new
from runs import command, pictures, refused
from toolbox.config import load_config
from toolbox.config.shipped import shipped_configs

pytestmark = pytest.mark.usefixtures("here")


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


# ------------------------------------------------------------------ ten odd folders


def test_three_pictures_are_enough_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    made = new("--task", "enlarge", "--data", odd_folders.three(Path("photos")))
    assert made["train_dataloader"]["dataset"]["hold_out"] == 3
    assert made["val_dataloader"]["dataset"]["held_out"] is True
    assert made["train_dataloader"]["dataset"]["transforms"][0] == {"type": "RandomCrop", "size": 96}
    assert made["train_cfg"]["max_iters"] == 500  # half: they are soon known by heart
    out = told(capsys)
    assert "photos: 3 pictures (3 png), 96x96" in out and "learns from 2 and measures on 1" in out
    assert "gan-toolbox train mine.yaml" in out and "work_dirs/mine/iter_500.pth -o mine.safetensors" in out


def test_five_thousand_small_ones_take_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    folder = odd_folders.thousands(Path("photos"))
    began = time.monotonic()
    made = new("--task", "enlarge", "--data", folder)
    assert time.monotonic() - began < 60  # about 3 s on an idle core
    assert made["train_dataloader"]["dataset"]["transforms"][0]["size"] == 48
    assert 5000 // made["train_dataloader"]["dataset"]["hold_out"] == 32  # a validation stays short
    out = told(capsys)
    assert "5,000 pictures" in out and "4,980 exact copies of others" in out


def test_mixed_sizes_are_cut_to_what_most_have(capsys: pytest.CaptureFixture[str]) -> None:
    made = new("--task", "restore", "--data", odd_folders.mixed(Path("photos")))
    assert made["train_dataloader"]["dataset"]["transforms"][0]["size"] == 64
    assert made["train_dataloader"]["skip_damaged"] is True
    assert "1 smaller than a crop left out" in told(capsys)


def test_gray_ones_are_told_and_used(capsys: pytest.CaptureFixture[str]) -> None:
    new("--task", "enlarge", "--data", odd_folders.gray(Path("photos")))
    assert "5 gray, 1 with transparency, which is dropped" in told(capsys)


def test_sixteen_bits_are_refused_with_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "new", "mine", "--task", "enlarge", "--data", odd_folders.deep(Path("photos")))
    assert "none of 4 pictures can be used: 0.png: more than 8 bits per channel is not supported; convert it" in line
    assert not Path("mine.yaml").exists()


@pytest.mark.parametrize(
    ("make", "base", "roots", "suffixes"),
    [
        (odd_folders.marked, "pairs", ("", ""), {"lr": "_LR", "hr": "_HR"}),
        (lambda f: odd_folders.marked(f, "x2", "", 2), "pairs_x2", ("", ""), {"lr": "x2"}),
        (odd_folders.two_folders, "pairs_x2", ("/lr", "/hr"), None),
        (lambda f: odd_folders.two_folders(f, "noisy", "clean", 1), "pairs_x1", ("/noisy", "/clean"), None),
        (lambda f: odd_folders.two_folders(f, "one", "another", 4), "pairs", ("/one", "/another"), None),
    ],
)
def test_pairs_are_known_by_their_names_and_sizes(
    make: Callable[[Path], Path], base: str, roots: tuple[str, str], suffixes: dict[str, str] | None
) -> None:
    made = new("--task", "restore", "--data", make(Path("pairs")))
    dataset = made["train_dataloader"]["dataset"]
    assert dataset["roots"] == {"lr": f"pairs{roots[0]}", "hr": f"pairs{roots[1]}"}
    assert dataset.get("suffixes") == suffixes
    assert f"_base_: toolbox:own/{base}.yaml" in Path("mine.yaml").read_text()


def test_pictures_side_by_side_are_known_by_their_outlines() -> None:
    made = new("--task", "translate", "--data", odd_folders.beside(Path("pairs")))
    dataset = made["train_dataloader"]["dataset"]
    assert (dataset["type"], dataset["keys"]) == ("SideBySide", ["real_a", "real_b"])
    assert dataset["transforms"][0]["size"] == 96


@pytest.mark.parametrize(("alike", "kind"), [(True, "PairedFolders"), (False, "UnpairedFolders")])
def test_two_kinds_of_equal_names_are_pairs_where_they_show_the_same(alike: bool, kind: str) -> None:
    for number in range(4):
        odd_folders.save(Path(f"map/{number}.png"), odd_folders.scene(number))
        odd_folders.save(Path(f"photo/{number}.png"), 255 - odd_folders.scene(number if alike else 9 + number) // 2)
    made = new("--task", "translate", "--data", "map", "--style", "photo")
    assert made["train_dataloader"]["dataset"]["type"] == kind


def test_a_recipe_for_gpus_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    new("--like", "super_resolution/srresnet", "--data", odd_folders.three(Path("photos")))
    assert "iterations are for a GPU" in told(capsys)


def test_a_single_picture_is_learned_from_and_nothing_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    made = new("--task", "enlarge", "--data", pictures(Path("photos"), 1, size=96))
    assert made["val_dataloader"] is None and made["val_evaluator"] is None
    assert "learns from 1 and measures on 0" in told(capsys)


def test_wide_pictures_of_other_halves_are_no_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(6):
        halves = [odd_folders.scene(number), odd_folders.scene(9 + number)]
        odd_folders.save(Path(f"photos/{number}.png"), np.hstack(halves))
    assert new("--task", "restore", "--data", "photos")["train_dataloader"]["dataset"]["type"] == "ImageFolder"
    Path("mine.yaml").unlink()
    line = refused(capsys, "new", "mine", "--task", "translate", "--data", "photos")
    assert line.startswith("error: --style FILE|FOLDER: ")


def test_a_picture_without_a_partner_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    folder = odd_folders.marked(Path("pairs"))
    (folder / "5_LR.png").unlink()
    line = refused(capsys, "new", "mine", "--task", "restore", "--data", folder)
    assert "5_HR.png: has no partner, and the others are pairs (_LR, _HR); remove it" in line


def test_paintings_alone_are_a_kind_of_picture_and_no_style(capsys: pytest.CaptureFixture[str]) -> None:
    folder = pictures(Path("paintings"), 4, size=96)
    line = refused(capsys, "new", "mine", "--task", "style", "--data", folder)
    assert line.startswith("error: --style FILE|FOLDER: ")
    line = refused(capsys, "new", "mine", "--task", "style", "--data", folder, "--style", folder)
    assert "is the folder of --data itself" in line
    assert new("--task", "enlarge", "--data", folder)["model"]["type"] == "SRGAN"


def test_damaged_files_are_left_out_and_none_is_measured_on(capsys: pytest.CaptureFixture[str]) -> None:
    made = new("--task", "enlarge", "--data", odd_folders.damaged(Path("photos")))
    assert made["train_dataloader"]["skip_damaged"] is True
    every = made["val_dataloader"]["dataset"]["hold_out"]
    held = sorted(path.name for path in Path("photos").glob("*.[pj]*g"))[every - 1 :: every]
    assert held and not {"cut.png", "no.jpg"} & set(held)
    assert "2 cannot be used: " in told(capsys)
    assert command("train", "mine.yaml", "--cfg-options", *TINY) == 0


def test_a_damaged_input_of_a_pair_is_not_measured_on() -> None:
    folder = odd_folders.marked(Path("pairs"))
    (folder / "5_LR.png").write_bytes((folder / "5_LR.png").read_bytes()[:200])
    every = new("--task", "restore", "--data", folder)["val_dataloader"]["dataset"]["hold_out"]
    assert "5" not in [str(number) for number in range(6)][every - 1 :: every]


def test_an_empty_folder_and_none_at_all_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "photos: holds no image" in refused(
        capsys, "new", "mine", "--task", "enlarge", "--data", odd_folders.empty(Path("photos"))
    )
    assert "no such folder" in refused(capsys, "new", "mine", "--task", "enlarge", "--data", "nowhere")


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--task", "enlarge", "--scale", "3"],
            "--scale 3: there is no recipe to enlarge by it; there is one by 2 and",
        ),
        (["--task", "joint", "--style", "style", "--scale", "2"], "there is one by 4"),
        (["--task", "enlarge", "--style", "style"], "--style style: this recipe has no place for it"),
        (["--like", "demo/style", "--scale", "2"], "demo/style has its own"),
        (["--like", "nothing"], "there is no such config"),
        (["--like", "style/pix2pix"], "learns from pairs, and none are seen"),
        ([], "give --task"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(Path("photos"), 4, size=96), pictures(Path("style"), 1, size=96)
    assert message in refused(capsys, "new", "mine", "--data", "photos", *arguments)
    assert not Path("mine.yaml").exists()


@pytest.mark.parametrize("name", ["../mine", "a/b", "", ".hidden", "a b", "x" * 90])
def test_a_name_is_one_of_a_file_in_this_folder(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is no name for a config" in refused(capsys, "new", name, "--task", "enlarge", "--data", "photos")


def test_a_config_is_never_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_text("mine")
    photos = pictures(Path("photos"))
    assert "is not overwritten" in refused(capsys, "new", "mine", "--task", "enlarge", "--data", photos)
    assert Path("mine.yaml").read_text() == "mine"


def test_pictures_too_small_for_any_network_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "new", "mine", "--task", "enlarge", "--data", pictures(Path("photos"), size=24))
    assert "the pictures are too small: a tenth of them have 24 pixels a side or fewer, and 32 are needed" in line


def test_of_large_photographs_the_next_commands_show_the_smallest_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolbox.assembly import own_commands
    from toolbox.assembly.own import Wish, new_config

    monkeypatch.chdir(tmp_path)
    pictures(Path("photos"), 5, size=256)
    pictures(Path("photos/less"), 1, size=208)
    made = new_config(Wish("whole", Path("photos"), "enlarge"))
    monkeypatch.setattr(own_commands, "MANY", 300_000)
    assert "infer photos -o" in made.commands[1]
    made = new_config(Wish("one", Path("photos"), "enlarge"))
    assert "infer photos/less/00.png -o" in made.commands[1] and "photos/less/00.png" in made.commands[3]


def test_the_commands_can_be_copied_whatever_the_folders_are_called(capsys: pytest.CaptureFixture[str]) -> None:
    photos = pictures(Path("it's my photos (1)"), 12, size=96)
    config = load_config(shipped_configs()["own/enlarge.yaml"]).data | {"work_dir": "runs & more/one"}
    Path("like.yaml").write_text(yaml.safe_dump(config))
    new("--like", "like.yaml", "--data", photos)
    lines = told(capsys).partition("Next:\n")[2].splitlines()
    words = [shlex.split(line) for line in lines]
    assert [line[:2] for line in words] == [["gan-toolbox", name] for name in ("train", "infer", "export", "infer")]
    assert words[1][2] == words[3][2] == str(photos)
    assert words[1][-1] == words[2][3] == "runs & more/one/iter_1000.pth"


def test_of_many_pixels_the_network_is_shown_a_picture_that_it_was_not_trained_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("toolbox.assembly.own_commands.MANY", 1000)
    new("--task", "enlarge", "--data", pictures(Path("photos"), 12, size=96))
    (line,) = (each for each in told(capsys).splitlines() if "infer" in each and "--config" in each)
    held = load_config("mine.yaml").data["val_dataloader"]["dataset"]["hold_out"]
    assert int(Path(shlex.split(line)[2]).stem) % held == held - 1
