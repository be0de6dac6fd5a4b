"""`train`, `load` and `evaluate` from Python: plain objects, every kind of picture, and the command line's refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from runs import command, pictures
from toolbox import Run, UserError, evaluate, run_in, train
from toolbox.inference import Options, Predictor
from toolbox_plugins.srgan.srresnet import SRResNet

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two iterations of SRResNet, by a mapping."""
    folder = tmp_path_factory.mktemp("run")
    pictures(folder / "photos", 2, size=48)
    data = {"type": "ImageFolder", "root": str(folder / "photos"), "key": "hr"}
    config = {
        "model": {
            "type": "SRGAN",
            "degradation": {"type": "BicubicDegradation", "scale": 2},
            "generator": {"type": "SRResNet", "width": 8, "blocks": 1, "scale": 2},
            "losses": {"pixel": {"type": "L1Loss"}},
        },
        "train_dataloader": {"batch_size": 2, "dataset": {**data, "transforms": [{"type": "RandomCrop", "size": 32}]}},
        "train_cfg": {"max_iters": 4, "val_interval": 2},
        "optim_wrapper": {"generator": {"optimizer": {"type": "Adam", "lr": 1e-3}}},
        "val_dataloader": {"dataset": data},
        "val_evaluator": {"type": "PSNR", "prediction": "sr", "reference": "hr"},
    }
    return train(config, {"train_cfg.max_iters": 2}, work_dir=folder / "work")


def test_a_training_gives_its_results_as_plain_values_and_its_network_as_a_function(run: Run) -> None:
    assert run.checkpoint.name == "iter_2.pth" and list(run.rows) == ["do nothing", "train (2 iterations)"]
    assert set(run.metrics) == set(run.protocols) == {"psnr"} and run.metrics["psnr"] > 0
    assert [sheet.name for sheet in run.samples] == ["iter_2.png"]
    array = RNG.integers(0, 256, (20, 24, 3), dtype=np.uint8)
    assert run.load()(array).shape == (40, 48, 3)
    assert run_in(run.work_dir) == run
    shown = run._repr_html_()
    assert f"{run.metrics['psnr']:.4g}" in shown and "data:image/png;base64," in shown


def test_a_result_is_of_the_kind_that_was_given() -> None:
    torch.manual_seed(0)
    network = Predictor(SRResNet(width=8, blocks=1, scale=2).eval(), options=Options(backend="torch"))
    array = RNG.integers(0, 256, (20, 24, 4), dtype=np.uint8)
    large = network(array[..., :3])
    assert np.array_equal(np.asarray(network(Image.fromarray(array[..., :3]))), large)
    with_alpha = network(Image.fromarray(array))
    assert with_alpha.mode == "RGBA" and np.array_equal(np.asarray(with_alpha), network(array, alpha=True))
    assert network(Image.fromarray(array[..., 0])).mode == "L"
    assert network(Image.fromarray(array[..., :3]).convert("P")).mode == "RGB"
    images = torch.from_numpy(array[..., :3]).permute(2, 0, 1) / 255
    made = network(images)
    assert made.shape == (3, 40, 48) and made.dtype == torch.float32
    assert (made.permute(1, 2, 0) * 255 - torch.from_numpy(large)).abs().max() <= 0.51
    assert torch.equal(network(torch.stack([images, images])), torch.stack([made, made]))
    with pytest.raises(UserError, match=r"a tensor of images is \(C, H, W\)"):
        network(torch.zeros(4, 4))
    for deep in (np.uint16(array[..., 0]) * 257, array[..., 0] / np.float32(255)):
        with pytest.raises(UserError, match="would be cut to 8 bits; give its array"):
            network(Image.fromarray(deep))
    with pytest.raises(UserError, match="uint8"):
        network(torch.zeros(3, 4, 4, dtype=torch.uint8))


def test_evaluate_gives_what_the_command_writes(tmp_path: Path) -> None:
    for name, seed in (("made", 0), ("right", 1)):
        pictures(tmp_path / name, 2, size=32, seed=seed)
    arguments = [tmp_path / "made", tmp_path / "right", "--metric", "PSNR", "--metric", "SSIM", "--crop", "2"]
    assert command("evaluate", *arguments, "-o", tmp_path / "x.json") == 0
    written = json.loads((tmp_path / "x.json").read_text())
    assert evaluate(tmp_path / "made", tmp_path / "right", ["PSNR", "SSIM"], crop=2) == written["mean"]
    with pytest.raises(UserError, match="LPIPS"):
        evaluate(tmp_path / "made", tmp_path / "right", ["PSNR", {"type": "LPIPS", "network": "vgg"}])
    (tmp_path / "made" / "other.png").write_bytes((tmp_path / "made" / "00.png").read_bytes())
    with pytest.raises(UserError, match="without a partner"):
        evaluate(tmp_path / "made", tmp_path / "right")


@pytest.mark.parametrize(
    ("config", "options", "words"),
    [
        ({"model": {"type": "SRGAN"}}, {}, "give work_dir"),
        ({"model": {"type": "SRGAN"}, "modle": 1}, {"work_dir": "x"}, "modle"),
        ({"model": {"type": object}}, {"work_dir": "x"}, "holds text, numbers, lists and mappings alone"),
        ({"_base_": "../x.yaml"}, {"work_dir": "x"}, "leaves the folder"),
        ("demo/nothing.yaml", {}, "there is no such config"),
    ],
    ids=["no name", "a strange key", "a class", "a base elsewhere", "no config"],
)
def test_mistakes_are_told_as_on_the_command_line(
    config: Any, options: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=words):
        train(config, **options)
    with pytest.raises(UserError, match="holds no checkpoint"):
        run_in(tmp_path)
    assert not list(tmp_path.iterdir())
