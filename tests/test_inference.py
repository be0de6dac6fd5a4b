"""Testing a checkpoint and applying it to images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from runs import command, pictures, sr_config, style_config, write_config
from toolbox.images import images_to_float, read_image, tensor_to_image, write_image
from toolbox_plugins.degradations.bicubic import BicubicDegradation
from toolbox_plugins.metrics.psnr import PSNR


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained super-resolution run: run.yaml, run/iter_6.pth."""
    folder = tmp_path_factory.mktemp("trained")
    assert command("train", write_config(sr_config(folder), folder / "run.yaml")) == 0
    return folder


def infer(trained: Path, *arguments: object) -> int:
    """Apply the trained network."""
    return command("infer", *arguments, "--config", trained / "run.yaml", "--checkpoint", trained / "run/iter_6.pth")


def test_a_folder_keeps_its_tree_and_odd_sizes_come_out_exact(trained: Path, tmp_path: Path) -> None:
    pictures(tmp_path / "in" / "deep", 2)
    write_image(tmp_path / "in" / "odd.png", np.full((17, 23, 3), 128, np.uint8))
    assert infer(trained, tmp_path / "in", "-o", tmp_path / "out", "--suffix", "_x2") == 0
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.png")) == [
        "deep/00_x2.png", "deep/01_x2.png", "odd_x2.png",
    ]  # fmt: skip
    assert read_image(tmp_path / "out" / "odd_x2.png").shape == (34, 46, 3)


def test_a_bad_file_is_named_and_the_others_are_done(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pictures(tmp_path / "in", 2)
    (folder / "broken.jpg").write_bytes(b"no picture")
    assert infer(trained, folder, "-o", tmp_path / "out") == 1
    assert "broken.jpg" in capsys.readouterr().err
    assert len(list((tmp_path / "out").glob("*.png"))) == 2


def test_two_inputs_of_one_name_are_refused_before_any_work(trained: Path, tmp_path: Path) -> None:
    a, b = pictures(tmp_path / "a", 1), pictures(tmp_path / "b", 1)
    assert infer(trained, a / "00.png", b / "00.png", "-o", tmp_path / "out") == 2
    assert not (tmp_path / "out").exists()


def test_an_input_is_never_replaced_by_its_result(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pictures(tmp_path / "in", 2)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert infer(trained, folder, "-o", folder) == 2
    assert "00.png: the result would replace an input" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert infer(trained, folder, "-o", folder, "--suffix", "_x2") == 0


def test_a_test_leaves_the_trainings_report_alone(trained: Path) -> None:
    written = ("report.json", "report.md", "config.yaml")
    before = [(trained / "run" / name).read_text() for name in written]
    assert command("test", trained / "run.yaml", trained / "run/iter_6.pth") == 0
    assert [(trained / "run" / name).read_text() for name in written] == before
    assert json.loads((trained / "run/test/report.json").read_text())["rows"]["test"]


def test_a_checkpoint_without_averages_is_tested_with_its_own_weights(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    del config["model"]["ema"]
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    with_averages = write_config(sr_config(tmp_path), tmp_path / "ema.yaml")
    rows = []
    for file in (tmp_path / "run.yaml", with_averages):
        assert command("test", file, tmp_path / "run/iter_6.pth", "--work-dir", tmp_path / file.stem / "test") == 0
        rows.append(json.loads((tmp_path / file.stem / "test/report.json").read_text())["rows"]["test"])
    assert rows[0] == rows[1]


def test_a_test_gives_the_numbers_that_training_ended_with(trained: Path, tmp_path: Path) -> None:
    code = command("test", trained / "run.yaml", trained / "run/iter_6.pth", "--work-dir", tmp_path / "test")
    assert code == 0
    report = json.loads((tmp_path / "test" / "report.json").read_text())
    rows = json.loads((trained / "run" / "report.json").read_text())["rows"]
    assert report["rows"]["test"] == rows["train (6 iterations)"]
    assert report["rows"]["do nothing"] == rows["do nothing"]
    assert report["protocols"] == {"psnr": "psnr[Y601,crop2,uint8,peak255]"}
    assert report["plugins"]["srgan"].startswith("gan-toolbox ")
    assert read_image(tmp_path / "test" / "samples" / "test.png").shape[1] > 500


def test_the_reported_psnr_is_that_of_the_written_pictures(trained: Path, tmp_path: Path) -> None:
    def as_tensor(path: Path) -> torch.Tensor:
        return images_to_float(torch.from_numpy(read_image(path)).permute(2, 0, 1)[None])[0]

    names = sorted(path.name for path in (trained / "photos").glob("*.png"))
    for name in names:
        low = BicubicDegradation(scale=2)(as_tensor(trained / "photos" / name)[None], torch.Generator())
        write_image(tmp_path / "low" / name, tensor_to_image(low[0]))
    assert infer(trained, tmp_path / "low", "-o", tmp_path / "sr") == 0
    psnr = PSNR(prediction="sr", reference="hr", channel="Y", crop=2)
    values = [psnr.measure(as_tensor(tmp_path / "sr" / name), as_tensor(trained / "photos" / name)) for name in names]
    rows = json.loads((trained / "run" / "report.json").read_text())["rows"]
    assert rows["train (6 iterations)"]["psnr"] == pytest.approx(np.mean(values), abs=1e-3)


def test_either_direction_of_a_cyclegan_can_be_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_config(style_config(tmp_path), tmp_path / "run.yaml")
    assert command("train", file) == 0
    rest = ["--config", file, "--checkpoint", tmp_path / "run" / "iter_6.pth"]
    for output in ("fake_a", "fake_b"):
        assert command("infer", tmp_path / "b", "-o", tmp_path / output, "--output", output, *rest) == 0
    one, two = (read_image(tmp_path / output / "00.png") for output in ("fake_a", "fake_b"))
    assert one.shape == two.shape and not np.array_equal(one, two)
    assert command("infer", tmp_path / "b", "-o", tmp_path / "x", "--output", "fake", *rest) == 2
    assert "did you mean 'fake_b'?" in capsys.readouterr().err


def test_losses_are_averaged_over_mmengines_window_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = sr_config(tmp_path)
    del config["default_hooks"]["logger"]
    config["log_processor"] = {"window_size": 3}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    shown = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("train ")]
    assert shown == ["3/6", "6/6"]
