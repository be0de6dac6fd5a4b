"""The networks that come with the toolbox do what their cards say, without anything being named or trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from runs import command, sr_config, write_config
from toolbox.cli import run
from toolbox.inference import load
from toolbox.io.errors import UserError
from toolbox.io.images import find_images, read_image, write_image
from toolbox.io.resize import resize_bicubic
from toolbox.weights.shipped import ENLARGER, PAINTER, shipped_model, shipped_models
from toolbox_plugins.transforms.oracle import palette

ROOT = Path(__file__).parents[2]
PHOTOS = find_images(ROOT / "configs" / "demo" / "photos" / "test")


def small(image: np.ndarray, factor: int = 4) -> np.ndarray:
    """A photograph (H, W, 3) uint8, cropped to multiples of the factor and shrunk bicubically."""
    height, width = (side - side % factor for side in image.shape[:2])
    tensor = torch.from_numpy(image[:height, :width].copy()).movedim(2, 0)[None] / 255
    return (resize_bicubic(tensor, down=factor)[0].clamp(0, 1) * 255).round().byte().movedim(0, 2).numpy()


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Of two uint8 pictures, in dB."""
    return float(10 * np.log10(255**2 / np.mean((first.astype(float) - second.astype(float)) ** 2)))


@pytest.mark.parametrize("name", shipped_models())
def test_a_model_is_small_and_has_a_card_that_says_what_counts(name: str) -> None:
    folder = shipped_model(name).parent
    assert sum(file.stat().st_size for file in folder.glob("*.safetensors")) <= 2_000_000
    card = (folder / "README.md").read_text(encoding="utf-8")
    for word in ("Data", "Licence", "Protocol", "psnr[", "Limits"):
        assert word in card, f"{name}: the card does not name its {word.lower()}"


def test_nobody_has_to_name_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "photo.png", small(read_image(PHOTOS[0]), 8))
    monkeypatch.chdir(tmp_path)
    assert command("infer", "photo.png") == 0
    assert f"this is {ENLARGER}; --style van-gogh paints" in capsys.readouterr().err
    whole = read_image("results/photo.png")
    assert whole.shape[0] == 4 * read_image("photo.png").shape[0]
    assert command("infer", "photo.png", "-o", "same", "--strength", "0") == 0
    assert f"this is {PAINTER}\n" in capsys.readouterr().err
    assert np.abs(read_image("same/photo.png").astype(int) - whole).max() <= 1, (
        "at strength 0 the painter enlarges alike"
    )
    for style in ("van-gogh", "ukiyo-e", "van-gogh:0.5,kandinsky:0.5"):
        assert command("infer", "photo.png", "-o", "painted", "--style", style) == 0
        assert np.abs(read_image("painted/photo.png").astype(int) - whole).mean() > 10
    capsys.readouterr()
    assert command("infer", "photo.png", "--style", "van-goh") == 2
    assert "--style van-goh: the model has van-gogh, ukiyo-e," in capsys.readouterr().err
    assert command("infer", "photo.png", "--style", "van-gogh", "--weights", ENLARGER) == 2
    assert "van-gogh: there is no such picture of a style" in capsys.readouterr().err


def test_the_style_is_four_decibels_nearer_than_bicubic_on_photographs_that_it_never_saw() -> None:
    network, gains = load("palette-x4"), []
    for photo in PHOTOS:
        image = read_image(photo)
        truth = palette(image)[: image.shape[0] // 4 * 4, : image.shape[1] // 4 * 4]
        given = small(image)
        plain = resize_bicubic(torch.from_numpy(given).movedim(2, 0)[None] / 255, up=4)[0].clamp(0, 1)
        bicubic = (plain * 255).round().byte().movedim(0, 2).numpy()
        gains.append(psnr(network(given), truth) - psnr(bicubic, truth))
    assert np.mean(gains) >= 4, gains


def test_without_style_it_enlarges_better_than_bicubic() -> None:
    network = load("palette-x4", chosen={"strength": 0.0})
    image = read_image(PHOTOS[0])
    given, truth = small(image), image[: image.shape[0] // 4 * 4, : image.shape[1] // 4 * 4]
    plain = resize_bicubic(torch.from_numpy(given).movedim(2, 0)[None] / 255, up=4)[0].clamp(0, 1)
    assert psnr(network(given), truth) > psnr((plain * 255).round().byte().movedim(0, 2).numpy(), truth)


def test_the_painter_goes_from_the_photograph_to_each_painter_step_by_step() -> None:
    image = read_image(PHOTOS[0])[100:420, 60:380]
    given, whole = small(image), []
    for style in ("van-gogh", "ukiyo-e", "impressionism", "kandinsky"):
        steps = [load(PAINTER, chosen={"style": style, "strength": part / 4})(given) for part in range(5)]
        near = [psnr(each, image) for each in steps]
        assert near[0] > 26.5 and near == sorted(near, reverse=True), f"{style} leaves the photograph: {near}"
        whole.append(steps[-1].astype(int))
        colours = np.ptp(steps[-1].astype(int), axis=2).mean()
        assert colours > 20, f"{style} has colours"
    assert min(np.abs(a - b).mean() for n, a in enumerate(whole) for b in whole[:n]) > 10, "hands differ"


@pytest.mark.parametrize(("factor", "wanted"), [(2, 34.4), (4, 29.3)])
def test_the_faithful_ones_have_the_published_networks_figures(factor: int, wanted: float) -> None:
    network, reached = load(f"enlarge-x{factor}"), []
    for photo in PHOTOS:
        image = read_image(photo)
        height, width = (side // factor * factor for side in image.shape[:2])
        reached.append(psnr(network(small(image, factor)), image[:height, :width]))
    assert wanted <= np.mean(reached) <= wanted + 0.1, reached


def test_a_model_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UserError, match=r"palette-x5: there is no such model in this installation; did you mean"):
        shipped_model("palette-x5")


def test_a_file_that_is_not_there_is_named_before_its_strength(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("infer", PHOTOS[0], "--weights", "nowhere.safetensors", "--strength", "0.5") == 2
    assert "nowhere.safetensors: there is no such weights file" in capsys.readouterr().err


def test_the_list_of_models_shows_them_and_their_cards(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", ["list", "--long"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in shipped_models()) and "Limits" in said
    assert "infer --style van-gogh, ukiyo-e, impressionism, kandinsky; " in said and "styles.jpg shows them" in said


def test_a_sheet_shows_a_rival_beside_the_outputs(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    config["train_cfg"] = {"max_iters": 1}
    config["default_hooks"] = {"samples": {"rivals": {"shipped": "palette-x4"}, "cell": 64}}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    sheet = read_image(next((Path(config["work_dir"]) / "samples").glob("*.png")))
    assert sheet.shape[1] == 5 * (64 + 6) - 6, "input, bicubic, output, rival, reference"
