"""Testing a checkpoint and applying it to images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from runs import command, pictures, sr_config, style_config, write_config
from toolbox.config import load_config
from toolbox.inference import Options, load, load_algorithm
from toolbox.inference.picture import Picture, read_picture
from toolbox.inference.picture_write import write_picture
from toolbox.io.errors import UserError
from toolbox.io.images import images_to_float, read_image, tensor_to_image, write_image
from toolbox_plugins.degradations.bicubic import BicubicDegradation
from toolbox_plugins.metrics.psnr import PSNR
from toolbox_plugins.realesrgan.srvgg import SRVGGNetCompact


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


def test_only_what_predicts_is_built_and_averages_are_used_where_the_checkpoint_has_them(
    trained: Path, tmp_path: Path
) -> None:
    losses = {"pixel": {"type": "ColorMomentLoss", "image": "no/such/painting.jpg"}}
    without = sr_config(tmp_path, losses=losses, ema=None)
    assert command("train", write_config(without, tmp_path / "run.yaml"), "--dry-run") == 2, "the painting is missing"
    algorithm = load_algorithm(load_config(tmp_path / "run.yaml"), trained / "run/iter_6.pth")
    state = torch.load(trained / "run/iter_6.pth", weights_only=True)["state_dict"]
    used = algorithm.averaged_network("generator").state_dict()
    assert all(torch.equal(value, state[f"generator_ema.{key}"]) for key, value in used.items())
    assert algorithm.judged == {} and len(algorithm.losses) == 0
    assert command(
        "infer", pictures(tmp_path / "in", 1), "-o", tmp_path / "out", "--config", tmp_path / "run.yaml",
        "--checkpoint", trained / "run/iter_6.pth",
    ) == 0  # fmt: skip
    plain = {key: value for key, value in state.items() if not key.startswith("generator_ema.")}
    torch.save({"state_dict": plain}, tmp_path / "plain.pth")
    used = load_algorithm(load_config(tmp_path / "run.yaml"), tmp_path / "plain.pth").averaged_network("generator")
    assert all(torch.equal(value, state[f"generator.{key}"]) for key, value in used.state_dict().items())


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


def test_results_have_their_inputs_format_or_the_one_that_is_asked_for(trained: Path, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.png", "c.webp", "d.tif", "e.bmp"):
        write_image(tmp_path / "in" / name, np.full((9, 11, 3), 128, np.uint8))
    assert infer(trained, tmp_path / "in", "-o", tmp_path / "auto") == 0
    assert sorted(path.name for path in (tmp_path / "auto").iterdir()) == ["a.jpg", "b.png", "c.webp", "d.tif", "e.bmp"]
    for path in (tmp_path / "auto").iterdir():
        with Image.open(path) as image:
            assert image.size == (22, 18)
    sizes = []
    for quality in (30, 95):
        assert infer(trained, trained / "photos", "-o", tmp_path / "q", "--format", "jpg", "--quality", quality) == 0
        sizes.append((tmp_path / "q" / "00.jpg").stat().st_size)
    assert sizes[0] < sizes[1]


def test_16_bits_profile_orientation_and_transparency_come_through(trained: Path, tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 200, (20, 30, 4), dtype=np.uint16)  # dark, and 16 bits all the same
    exif = Image.Exif()
    exif[0x0112] = 6
    write_picture(tmp_path / "in" / "deep.png", Picture(array, alpha=True, icc_profile=b"profile", exif=exif.tobytes()))
    write_picture(tmp_path / "in" / "gray.tif", Picture(array[..., :1]))
    write_image(tmp_path / "in" / "plain.png", np.full((9, 11, 3), 128, np.uint8))
    assert infer(trained, tmp_path / "in", "-o", tmp_path / "out") == 0
    deep, gray = read_picture(tmp_path / "out" / "deep.png"), read_picture(tmp_path / "out" / "gray.tif")
    assert deep.array.dtype == np.uint16 and deep.array.shape == (60, 40, 4) and deep.alpha
    assert deep.icc_profile == b"profile" and deep.exif is not None
    assert gray.array.dtype == np.uint16 and gray.array.shape == (40, 60, 1)


def test_a_picture_that_does_not_fit_the_network_or_the_format_is_named(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tifffile")
    folder = pictures(tmp_path / "in", 1)
    write_picture(folder / "bands.tif", Picture(np.zeros((8, 8, 5), np.uint8)))
    write_picture(folder / "clear.webp", Picture(np.zeros((8, 8, 4), np.uint8), alpha=True))
    assert infer(trained, folder, "-o", tmp_path / "out", "--format", "jpg") == 1
    shown = capsys.readouterr().err
    assert "bands.tif: JPEG cannot hold 5 channels; choose --format tif" in shown
    assert "clear.webp: JPEG holds no transparency; choose --format png, or --alpha drop" in shown
    assert infer(trained, folder, "-o", tmp_path / "auto") == 1
    shown = capsys.readouterr().err
    assert "bands.tif: the picture has 5 channels, and the network takes 3" in shown
    assert sorted(path.name for path in (tmp_path / "auto").iterdir()) == ["00.png", "clear.webp"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["00.jpg"]


def test_results_that_exist_are_passed_over_when_that_is_asked_for(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pictures(tmp_path / "in", 3)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "01.png").write_text("kept")
    assert infer(trained, folder, "-o", tmp_path / "out", "--skip-existing") == 0
    assert "2 of 3 images written" in capsys.readouterr().out
    assert (tmp_path / "out" / "01.png").read_text() == "kept"
    assert infer(trained, folder, "-o", tmp_path / "out", "--skip-existing") == 0
    assert "0 of 3 images written" in capsys.readouterr().out
    assert infer(trained, folder, "-o", tmp_path / "out") == 0
    assert read_image(tmp_path / "out" / "01.png").shape == (96, 96, 3)


def test_batches_of_mixed_sizes_and_bad_files_give_what_each_picture_gives_alone(trained: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number, size in enumerate([(20, 30), (24, 24), (20, 30), (20, 30), (9, 8), (24, 24), (5, 7)]):
        write_image(tmp_path / "in" / f"{number}.png", rng.integers(0, 256, (*size, 3), dtype=np.uint8))
    (tmp_path / "in" / "3b.png").write_text("no picture")
    assert infer(trained, tmp_path / "in", "-o", tmp_path / "one") == 1
    assert infer(trained, tmp_path / "in", "-o", tmp_path / "three", "--batch", 3, "--tile", 32) == 1
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == [f"{number}.png" for number in range(7)]
    for name in names:
        one, three = (read_image(tmp_path / folder / name).astype(int) for folder in ("one", "three"))
        assert np.abs(one - three).max() <= 1


def test_a_trained_network_is_a_function_of_arrays(trained: Path, tmp_path: Path) -> None:
    weights = tmp_path / "x2.pth"
    assert command("export", trained / "run.yaml", trained / "run/iter_6.pth", "-o", weights) == 0
    assert infer(trained, trained / "photos", "-o", tmp_path / "out") == 0
    enlarge = load(weights, options=Options(tile=32))
    assert enlarge.scale == 2
    made = enlarge(read_image(trained / "photos" / "00.png"))
    assert np.abs(made.astype(int) - read_image(tmp_path / "out" / "00.png")).max() <= 1
    with pytest.raises(UserError, match="--weights, or --config with --checkpoint"):
        load()


def test_weights_published_elsewhere_need_nothing_beside_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = SRVGGNetCompact(width=8, convs=2, scale=2)
    torch.save({"params": network.state_dict()}, tmp_path / "compact.pth")
    folder = pictures(tmp_path / "in", 1)
    assert command("infer", folder, "-o", tmp_path / "out", "--weights", tmp_path / "compact.pth") == 0
    images = images_to_float(torch.from_numpy(read_image(folder / "00.png")).permute(2, 0, 1)[None])
    with torch.inference_mode():
        wanted = tensor_to_image(network.eval()(images)[0])
    assert np.abs(read_image(tmp_path / "out" / "00.png").astype(int) - wanted).max() <= 1
    arguments = ["infer", folder, "-o", tmp_path / "out", "--weights", tmp_path / "compact.pth", "--output", "fake_a"]
    assert command(*arguments) == 2
    assert "--output fake_a: compact.pth holds one network" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "xyz"], "--format xyz: is unknown"),
        (["--tile", "big"], "--tile big: must be auto, 0"),
        (["--batch", 0], "--batch 0: must be 1 or more"),
        (["--quality", 101], "--quality 101: must be from 1 to 100"),
        (["--precision", "fp16", "--device", "cpu"], "--precision fp16: is for GPUs"),
    ],
)
def test_an_impossible_option_is_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[object], message: str
) -> None:
    assert infer(trained, trained / "photos", "-o", tmp_path / "out", *arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("emulated", [True, False])
def test_bfloat16_that_only_costs_time_is_told(
    emulated: bool, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, probe, lambda: not emulated)
    arguments = ("--precision", "bf16", "--device", "cpu", "--backend", "torch")
    assert infer(trained, trained / "photos", "-o", tmp_path / "out", *arguments) == 0
    assert ("note: --precision bf16: this processor only emulates it" in capsys.readouterr().err) == emulated


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
