"""Sizes are looked at from headers before a run begins: what would stop it later is said then, with the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runs import pictures, refused, sr_config, write_config
from toolbox.assembly.doctor_config import examine_config
from toolbox.assembly.sample_sizes import check_pixels, look_at
from toolbox.config import load_config
from toolbox.contracts.dataset import ImageDataset
from toolbox_plugins.datasets.folders import ImageFolder, PairedFolders


def cropped(folder: Path, name: str, height: int, width: int) -> None:
    """A picture of that size beside the others."""
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(folder / name)


def bad(config: dict[str, Any], folder: Path) -> list[str]:
    """What doctor finds wrong."""
    found = examine_config(load_config(write_config(config, folder / "doctor.yaml")))
    return [each.found for each in found if each.state == "bad"]


def test_a_validation_image_that_the_scale_does_not_divide_is_named_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = sr_config(tmp_path)
    config["val_dataloader"] = {"dataset": {"type": "ImageFolder", "root": str(tmp_path / "val"), "key": "hr"}}
    pictures(tmp_path / "val")
    cropped(tmp_path / "val", "odd.png", 31, 33)
    line = refused(capsys, "train", write_config(config, tmp_path / "run.yaml"))
    assert "val_dataloader.dataset: odd.png: " in line and "31 and width 33 must be multiples of 2" in line
    assert not (tmp_path / "run").exists()
    assert len(bad(config, tmp_path)) == 1 and "odd.png" in bad(config, tmp_path)[0]


def test_a_validation_image_that_is_cut_short_is_named_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = sr_config(tmp_path)
    config["val_dataloader"] = {"dataset": {"type": "ImageFolder", "root": str(tmp_path / "val"), "key": "hr"}}
    for file in sorted(pictures(tmp_path / "val").iterdir())[-2:]:
        file.write_bytes(file.read_bytes()[:-40])
    line = refused(capsys, "train", write_config(config, tmp_path / "run.yaml"))
    assert "val_dataloader.dataset: " in line and "02.png: damaged image" in line
    assert "(and 1 more of 4 samples)" in line and not (tmp_path / "run").exists()


def test_pixels_are_looked_at_as_long_as_there_is_time(tmp_path: Path) -> None:
    (sorted(pictures(tmp_path).iterdir())[-1]).write_bytes(b"")
    check_pixels("val", ImageFolder(root=str(tmp_path), key="hr"), seconds=0)


def test_an_image_below_the_crop_is_named_before_training_and_the_others_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = sr_config(tmp_path)
    for name in ("x.png", "y.png"):
        cropped(tmp_path / "photos", name, 20, 64)
    config["val_dataloader"]["dataset"] = {**config["val_dataloader"]["dataset"], "root": str(pictures(tmp_path / "v"))}
    line = refused(capsys, "train", write_config(config, tmp_path / "run.yaml"))
    assert "x.png: RandomCrop: the image of 20x64 is smaller than 32" in line and "(and 1 more of 6 samples)" in line
    assert len(bad(config, tmp_path)) == 1 and "x.png" in bad(config, tmp_path)[0]


def test_what_skip_damaged_leaves_out_is_said_and_the_run_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = sr_config(tmp_path)
    config["train_dataloader"]["skip_damaged"] = True
    config["val_dataloader"]["dataset"] = {**config["val_dataloader"]["dataset"], "root": str(pictures(tmp_path / "v"))}
    cropped(tmp_path / "photos", "x.png", 20, 64)
    assert bad(config, tmp_path) == [] and "x.png: RandomCrop" in caplog.text and "will be left out" in caplog.text


def test_pairs_must_be_as_the_network_enlarges(tmp_path: Path) -> None:
    config = sr_config(tmp_path, degradation=None)
    pictures(tmp_path / "lr", 2, 24)
    pictures(tmp_path / "hr", 2, 48)
    dataset = {"type": "PairedFolders", "roots": {"lr": str(tmp_path / "lr"), "hr": str(tmp_path / "hr")}}
    config["val_dataloader"] = {"dataset": dataset}
    config["train_dataloader"] = {"batch_size": 1, "dataset": dataset}
    assert bad(config, tmp_path) == []
    pictures(tmp_path / "hr", 1, 72)
    assert "'hr' of 72x72 is not 2 times 'lr' of 24x24" in bad(config, tmp_path)[0]
    cropped(tmp_path / "hr", "00.png", 49, 47)
    assert "49x47 is no whole multiple of its partner's 24x24" in bad(config, tmp_path)[0]


def test_images_that_make_no_batch_are_refused_before_training(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    config["val_dataloader"]["batch_size"] = 2
    assert bad(config, tmp_path) == []
    cropped(tmp_path / "photos", "03.png", 40, 48)
    assert "'hr' are of unequal sizes (48x48, 40x48) and make no batch of 2" in bad(config, tmp_path)[0]
    for name in ("02.png", "03.png"):  # these two follow each other in an evaluation
        cropped(tmp_path / "photos", name, 40, 48)
    assert bad(config, tmp_path) == []
    config["train_dataloader"]["dataset"]["transforms"] = []
    assert "make no batch of 2" in bad(config, tmp_path)[0]


def test_a_metric_that_needs_larger_images_says_so_before_training(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    config["val_evaluator"] = [{"type": "SSIM", "prediction": "sr", "reference": "hr", "crop": 2}]
    assert bad(config, tmp_path) == []
    config["val_dataloader"]["dataset"] = {**config["val_dataloader"]["dataset"], "root": str(pictures(tmp_path / "v"))}
    cropped(tmp_path / "v", "tiny.png", 12, 48)
    (line,) = bad(config, tmp_path)
    assert ("val_evaluator.0: tiny.png: " in line and "12" in line) or "8x44" in line


def test_sixteen_bits_and_damaged_headers_are_found_without_decoding(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "photos")
    Image.fromarray(np.zeros((48, 48), np.uint16)).save(folder / "deep.png")
    (folder / "torn.png").write_bytes((folder / "00.png").read_bytes()[:20])
    looked = look_at(ImageFolder(root=str(folder), key="hr"))
    assert sorted(looked.refused) == [4, 5] and looked.kinds == [{"hr": (48, 48)}] and looked.seen == 6
    assert "deep.png: more than 8 bits" in looked.refused[4] and "torn.png" in looked.refused[5]


def test_a_picture_that_lies_on_its_side_has_its_upright_size(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a.jpg", "b.png"):
        Image.fromarray(np.zeros((30, 50, 3), np.uint8)).save(tmp_path / "a" / name, exif=exif)
    dataset = ImageFolder(root=str(tmp_path / "a"), key="hr")
    for index in range(2):
        assert dataset.sizes_of(index) == {"hr": dataset.sample(index, np.random.default_rng(0))["hr"].shape[:2]}
        assert dataset.sizes_of(index) == {"hr": (50, 30)}


def test_a_dataset_that_does_not_say_is_not_looked_at_and_the_smallest_sample_is_known(tmp_path: Path) -> None:
    class Silent(ImageDataset):
        def __len__(self) -> int:
            return 3

        def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
            raise AssertionError("nothing is decoded")

    assert look_at(Silent()).seen == 0 and look_at(Silent()).smallest() is None
    pictures(tmp_path / "hr", 3, 48)
    pictures(tmp_path / "lr", 3, 24)
    cropped(tmp_path / "lr", "01.png", 16, 24)
    cropped(tmp_path / "hr", "01.png", 32, 48)
    pairs = PairedFolders(roots={"lr": str(tmp_path / "lr"), "hr": str(tmp_path / "hr")})
    assert look_at(pairs).smallest() == 1
    assert look_at(pairs, seconds=0).seen == 0
