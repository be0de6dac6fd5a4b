"""No checkpoint is chosen on the test set, and a test of one that is not the last says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runs import command, pictures, sr_config, write_config


def small(folder: Path, **sections: Any) -> Path:
    """A small SRGAN's config file."""
    return write_config(sr_config(folder) | sections, folder / "run.yaml")


def with_test_set(folder: Path, dataset: dict[str, Any], **checkpoint: Any) -> Path:
    """A config with a validation set (`folder`/photos) and a test set; returns its file."""
    config = sr_config(folder)
    config |= {"test_dataloader": {"dataset": dataset}, "test_evaluator": config["val_evaluator"]}
    config["default_hooks"]["checkpoint"] = {"interval": 3, **checkpoint}
    return write_config(config, folder / "run.yaml")


@pytest.mark.parametrize("inner", [".", "part"])
def test_a_best_checkpoint_cannot_be_chosen_on_the_test_set(
    inner: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures(tmp_path / "photos" / "part")
    same = {"type": "ImageFolder", "root": str(tmp_path / "photos" / inner), "key": "hr", "cache": True}
    assert command("train", with_test_set(tmp_path, same, save_best="psnr"), "--dry-run") == 2
    line = capsys.readouterr().err
    assert "run.yaml: test_dataloader.dataset: reads the images by which save_best chooses a checkpoint" in line


def test_another_test_set_or_no_choice_is_no_mistake(tmp_path: Path) -> None:
    same = {"type": "ImageFolder", "root": str(tmp_path / "photos"), "key": "hr"}
    assert command("train", with_test_set(tmp_path, same), "--dry-run") == 0
    other = same | {"root": str(pictures(tmp_path / "others"))}
    assert command("train", with_test_set(tmp_path, other, save_best="psnr"), "--dry-run") == 0


def test_new_photographs_with_the_same_paintings_are_another_test_set(tmp_path: Path) -> None:
    from toolbox.engine.settings import paths

    for name in ("photos", "new", "art"):
        pictures(tmp_path / name, 1)
    roots = {"real_a": str(tmp_path / "photos"), "real_b": str(tmp_path / "art")}
    transforms = [{"type": "Texture", "image": str(tmp_path / "art")}]
    found = list(paths({"type": "Every", "roots": roots, "transforms": transforms}))
    assert found == [(tmp_path / "photos").resolve(), (tmp_path / "art").resolve()]


def test_the_best_is_chosen_by_validation_while_the_test_set_stays_unread(tmp_path: Path) -> None:
    nowhere = {"type": "ImageFolder", "root": str(tmp_path / "nowhere"), "key": "hr"}
    assert command("train", with_test_set(tmp_path, nowhere, save_best="psnr")) == 0  # reading it would fail
    assert (tmp_path / "run" / "best_psnr.pth").is_file()


def test_the_best_by_a_metric_with_a_slash_in_its_name_is_a_file_and_not_a_folder(tmp_path: Path) -> None:
    nowhere = {"type": "ImageFolder", "root": str(tmp_path / "nowhere"), "key": "hr"}
    assert command("train", with_test_set(tmp_path, nowhere, save_best="psnr/do_nothing")) == 0
    assert (tmp_path / "run" / "best_psnr_do_nothing.pth").is_file()


def report_of_test(folder: Path) -> tuple[dict[str, Any], str]:
    """The report of a test, as JSON and Markdown."""
    folder = folder / "run" / "test"
    return json.loads((folder / "report.json").read_text()), (folder / "report.md").read_text()


def test_a_test_says_visibly_that_it_measured_no_final_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = small(tmp_path)
    assert command("train", file) == 0
    assert command("test", file, tmp_path / "run" / "iter_4.pth") == 0
    words = "iteration 4 of 6: not the final checkpoint"
    content, text = report_of_test(tmp_path)
    assert words in capsys.readouterr().out and f"**{words}**" in text and content["notes"] == [words]
    assert (content["iterations"], content["final_iteration"], content["final"]) == (4, 6, False)
    assert command("test", file, tmp_path / "run" / "iter_6.pth") == 0
    content, text = report_of_test(tmp_path)
    assert content["notes"] == [] and content["final"] is True and content["data"] == "validation"
    assert "not the final" not in text + capsys.readouterr().out


def test_no_setting_makes_an_earlier_checkpoint_final(tmp_path: Path) -> None:
    file = small(tmp_path)
    assert command("train", file) == 0
    early = tmp_path / "run" / "iter_4.pth"
    assert command("test", file, early, "--cfg-options", "train_cfg.max_iters=4") == 0
    assert report_of_test(tmp_path)[0]["notes"] == ["iteration 4 of 6: not the final checkpoint"]
    assert command("train", file, "--resume", "--cfg-options", "train_cfg.max_iters=8") == 0
    assert command("test", file, tmp_path / "run" / "iter_6.pth") == 0  # the last one once, and of this config
    assert report_of_test(tmp_path)[0]["notes"] == ["iteration 6 of 8: not the final checkpoint"]


def test_the_best_checkpoint_measured_on_what_it_was_chosen_by_says_so(tmp_path: Path) -> None:
    file = small(tmp_path, default_hooks={"checkpoint": {"interval": 3, "save_best": "psnr"}})
    assert command("train", file) == 0
    assert command("test", file, tmp_path / "run" / "best_psnr.pth") == 0
    assert any("chosen on these very images" in note for note in report_of_test(tmp_path)[0]["notes"])
