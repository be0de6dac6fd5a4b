"""What the command line refuses: one line with place, value and way out, exit code 2, and nothing runs."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from runs import command, refused, sr_config, style_config, write_config


def changed(config: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The config with one value replaced."""
    *parents, last = path.split(".")
    place: Any = config
    for parent in parents:
        place = place[int(parent) if parent.isdigit() else parent]
    place[last] = value
    return config


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        ("custom_imports", {"imports": ["os"]}, ["custom_imports", "imports no code"]),
        ("modle", {}, ["modle", "did you mean 'model'?"]),
        ("model.type", "SRGANN", ["model.type", "did you mean 'SRGAN'?"]),
        ("model.generator.type", "os.system", ["model.generator.type", "not an import path", "os.system"]),
        ("model.generator.bloks", 3, ["model.generator.bloks", "ResidualCNN", "did you mean 'blocks'?"]),
        ("model.generator.blocks", "three", ["model.generator.blocks", "'three'"]),
        ("model.generatr", {"type": "SRResNet"}, ["model.generatr", "did you mean 'generator'?"]),
        ("model.discriminator.pol", 4, ["model.discriminator.pol"]),
        ("model.losses.pixl", {"type": "L1Loss"}, ["model.losses.pixl", "did you mean 'pixel'?"]),
        ("model.losses.pixel.weight", "big", ["model.losses.pixel.weight", "'big'"]),
        ("model.variant.type", "WGANPG", ["model.variant.type", "did you mean 'WGANGP'?"]),
        ("model.adversarial", {"discriminator_a": 1.0}, ["model.adversarial.discriminator_a", "'discriminator'"]),
        ("model.degradation.scale", 4, ["model.degradation.scale", "model.generator.scale is 2"]),
        ("model.ema", 2.0, ["model.ema", "2.0"]),
        ("model.phases", [{"name": "a"}, {"name": "b"}], ["model.phases.0.until"]),
        ("model.phases", [{"name": "a", "losses": [], "adversaries": []}], ["model.phases.0", "nothing would train"]),
        ("model.phases", [{"name": "a", "losses": ["style"]}], ["model.phases.0.losses", "style"]),
        ("train_dataloader.batch_size", "four", ["train_dataloader.batch_size", "'four'"]),
        ("train_dataloader.dataset.rot", "x", ["train_dataloader.dataset.rot", "did you mean 'root'?"]),
        ("train_dataloader.dataset.transforms.0.size", None, ["train_dataloader.dataset.transforms.0.size"]),
        ("optim_wrapper.generator.optimizer.type", "Adm", ["optim_wrapper.generator.optimizer.type", "Adam"]),
        ("optim_wrapper.generator.optimizer.rate", 1.0, ["optim_wrapper.generator.optimizer.rate"]),
        ("optim_wrapper.generator.optimizer.lr", float("inf"), ["optimizer.lr: wants a finite number, got inf"]),
        ("optim_wrapper.generator.optimizer", {"type": "LBFGS"}, ["optimizer.type: LBFGS wants the loss", "Adam"]),
        ("optim_wrapper.generator.optimizer", {"type": "SparseAdam"}, ["SparseAdam wants sparse gradients"]),
        ("optim_wrapper.generator.clip_grad", {"max_norm": 0}, ["clip_grad.max_norm: must be above 0, got 0"]),
        ("optim_wrapper.generator.clip_grad", {"max_norm": -1.0}, ["clip_grad.max_norm: must be above 0, got -1.0"]),
        ("optim_wrapper.generator.clip_grad", {"type": "value", "clip_value": -1}, ["clip_value: must be above 0"]),
        ("param_scheduler.generator", [{"type": "StepLR", "step_size": 0}], ["0.step_size: counts iterations"]),
        ("param_scheduler.generator", [{"type": "CosineAnnealingLR", "T_max": 0}], ["0.T_max: counts iterations"]),
        ("param_scheduler.generator", [{"type": "MultiStepLR", "milestones": [3, -1]}], ["0.milestones.1", "got -1"]),
        ("param_scheduler.generator", [{"type": "CosineRestartLR", "periods": [0]}], ["0.periods.0: counts"]),
        ("model.generator.width", 10**10, ["model.generator: ResidualCNN: out of memory", "choose smaller numbers"]),
        ("train_dataloader.dataset.root", "", ["train_dataloader.dataset", "empty text"]),
        ("train_dataloader.dataset.key", "x", ["run.yaml: train_dataloader.dataset: gives x"]),
        ("load_from", "", ["run.yaml: load_from", "empty text"]),
        ("load_from", "gone.pth", ["run.yaml: load_from: gone.pth: there is no such weights file"]),
        ("load_from", {"generator": "gone.pth"}, ["run.yaml: load_from: gone.pth: there is no such weights file"]),
        ("param_scheduler.generator.0.type", "LinearRL", ["param_scheduler.generator.0.type", "LinearLR"]),
        ("param_scheduler.generator.0.start", 1.0, ["param_scheduler.generator.0.start", "start_factor"]),
        ("optim_wrapper.generator.optimizer.lr", -1.0, ["optim_wrapper.generator.optimizer", "-1.0"]),
        ("val_evaluator", [{"type": "PSNR", "prediction": "sr", "reference": "hr", "channel": c} for c in ("Y", "RGB")],
         ["val_evaluator.1", "another 'psnr'"]),
        ("val_evaluator.0.chanel", "Y", ["val_evaluator.0.chanel", "did you mean 'channel'?"]),
        ("default_hooks.chekpoint", {}, ["default_hooks.chekpoint", "checkpoint"]),
        ("default_hooks.checkpoint.intervall", 3, ["default_hooks.checkpoint.intervall", "interval"]),
        ("train_cfg", None, ["train_cfg"]),
        ("optim_wrapper.discriminator", None, ["optim_wrapper.discriminator"]),
        ("train_dataloader.dataset.root", "no/such/folder", ["no/such/folder"]),
        ("model.discriminator.norm", "batch", []),
        ("model.degradation", {"type": "BicubicDegradation"}, ["model.degradation.scale", "is 4", "scale is 2"]),
        ("model.losses", None, ["run.yaml: model.losses", "wants a mapping, got null"]),
        ("model.losses.pixel.weight", float("nan"), ["model.losses.pixel.weight", "nan"]),
        ("model.losses.pixel.pool", 2, ["model.losses.pixel.pool", "L1Loss has no such argument"]),
        ("model.generator.weight", 2.0, ["model.generator.weight", "ResidualCNN has no such argument"]),
        ("model.discriminator.pool", "many", ["model.discriminator.pool", "'many'"]),
        ("model.channels_last", "yes", ["model.channels_last", "'yes'"]),
        ("model.generator.width", -3, ["run.yaml: model.generator", "-3"]),
        ("model.phases", [{"name": "a", "losses": "pixel"}], ["model.phases.0.losses", "'pixel'"]),
        ("optim_wrapper", {"generator": {"optimizer": {"type": "Adam"}}}, ["optim_wrapper.discriminator", "optimizer"]),
        ("val_evaluator.0.reference", "gt", ["run.yaml: val_evaluator.0.reference", "'gt'", "hr"]),
        ("val_evaluator.0.prediction", "sr_", ["val_evaluator.0.prediction", "did you mean 'sr'?"]),
        ("val_evaluator.0.crop", 40, ["00.png", "hr of 48x48", "after cropping 40"]),
        ("val_dataloader.dataset.key", "image", ["run.yaml: val_dataloader.dataset", "gives image", "'lr'", "'hr'"]),
        ("train_dataloader.dataset.key", "image", ["train_dataloader.dataset", "gives image", "'hr'"]),
        ("train_dataloader.dataset.transforms.0.size", 33, ["model.degradation", "33", "ModCrop"]),
        ("train_dataloader.dataset.transforms.0.size", 64, [".png", "48x48", "smaller than 64"]),
        ("default_hooks.logger.interval", 0, ["run.yaml: default_hooks.logger", "at least 1, got 0"]),
        ("param_scheduler.generator.0.start_factor", 0, ["param_scheduler.generator.0.start_factor", "above 0"]),
        ("param_scheduler.generator.0.by_epoch", True, ["param_scheduler.generator.0.by_epoch", "iterations"]),
        ("optim_wrapper.generator.clip_grad", {}, ["optim_wrapper.generator.clip_grad", "needs max_norm"]),
        ("optim_wrapper.generator.clip_grad", {"clip_value": 1.0}, ["clip_grad.clip_value", "norm", "max_norm"]),
        ("visualizer", {"type": "Visualiser"}, ["visualizer.type", "did you mean 'Visualizer'?"]),
        ("visualizer", {"type": "Visualizer", "foo": 1}, ["visualizer.foo", "no such argument"]),
        ("visualizer", {"type": "Visualizer", "vis_backends": [{"type": "Tensorbord"}]}, ["visualizer.vis_backends.0"]),
        ("default_hooks.samples", {"columns": ["srr"]}, ["default_hooks.samples.columns", "did you mean 'sr'?"]),
    ],
)  # fmt: skip
def test_a_mistake_in_a_config_is_one_line(
    path: str, value: Any, wanted: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = changed(sr_config(tmp_path), path, value)
    if path == "model.discriminator.norm":
        config = changed(config, "model.variant", {"type": "WGANGP"})
        wanted = ["model.discriminator", "WGANGP", "PatchDiscriminator has batch norm", "norm: none"]
    file = write_config(config, tmp_path / "run.yaml")
    line = refused(capsys, "train", file)
    assert all(each in line for each in wanted), line
    assert not (tmp_path / "run" / "iter_6.pth").exists()


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("model.variant", {"type": "LSGAN"}),
        ("model.adversarial", {"discriminator": 0.1}),
        ("optim_wrapper.discriminator", {"optimizer": {"type": "Adam"}}),
        ("param_scheduler.discriminator", [{"type": "LinearLR"}]),
    ],
)
def test_what_is_meant_for_a_discriminator_is_refused_without_one(
    section: str, value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = sr_config(tmp_path)
    del config["model"]["discriminator"], config["model"]["variant"], config["optim_wrapper"]["discriminator"]
    assert command("train", write_config(config, tmp_path / "run.yaml"), "--dry-run") == 0
    line = refused(capsys, "train", write_config(changed(config, section, value), tmp_path / "run.yaml"))
    assert f"run.yaml: {section}: " in line and "discriminator" in line


def test_metrics_without_data_are_refused_unless_the_data_were_switched_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = sr_config(tmp_path)
    data = config.pop("val_dataloader")
    assert "val_evaluator: there is no val_dataloader" in refused(
        capsys, "train", write_config(config, tmp_path / "run.yaml")
    )
    file = write_config({**config, "val_dataloader": data}, tmp_path / "run.yaml")
    assert command("train", file, "--cfg-options", "val_dataloader=null", "--dry-run") == 0


def test_a_degradation_that_no_input_needs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = style_config(tmp_path, degradation={"type": "BicubicDegradation"})
    assert "model.degradation: CycleGAN makes no image" in refused(
        capsys, "train", write_config(config, tmp_path / "run.yaml")
    )


def test_a_damaged_image_is_one_line_from_a_worker_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = sr_config(tmp_path)
    config["train_dataloader"]["num_workers"] = 1
    (tmp_path / "photos" / "01.png").write_bytes(b"no image")
    line = refused(capsys, "train", write_config(config, tmp_path / "run.yaml"))
    assert line.startswith("error: ") and "01.png: not an image" in line


def test_torchruns_launcher_without_torchrun_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RANK", raising=False)
    file = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    assert "start with torchrun" in refused(capsys, "train", file, "--launcher", "pytorch")


def test_a_place_or_device_that_inference_cannot_use_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    checkpoint = tmp_path / "none.pth"
    checkpoint.touch()
    infer = ["infer", tmp_path / "photos", "--config", file, "--checkpoint", checkpoint]
    assert f"-o {file}: no folder can be made there" in refused(capsys, *infer, "-o", file)
    assert "--suffix a/b" in refused(capsys, *infer, "-o", tmp_path / "out", "--suffix", "a/b")
    assert "--device gpu: cannot be used here" in refused(capsys, *infer, "-o", tmp_path / "out", "--device", "gpu")
    checkpoint.unlink()
    assert "none.pth: there is no such checkpoint" in refused(capsys, *infer, "-o", tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--weights", "nope.pth"], "nope.pth: there is no such weights file"),
        (["--config", "demo/style.yaml", "--checkpoint", "nope.pth"], "nope.pth: there is no such checkpoint"),
        (["--style", "nope.png"], "--style nope.png: the model has van-gogh, ukiyo-e"),
        (["--style", "nope.png", "--weights", "enlarge-x4"], "nope.png: there is no such picture of a style"),
        (["--strength", "3"], "--strength 3: must be from 0"),
        (["--set", "domain"], "--set domain: write NAME=VALUE"),
        (["--format", "jpg"], "JPEG holds no transparency"),
        (["--grid", "0"], "--grid"),
    ],
)
def test_infer_refuses_what_it_can_see_without_waiting_for_torch(
    options: list[str], wanted: str, tmp_path: Path
) -> None:
    Image.new("RGBA", (8, 8), (10, 20, 30, 40)).save(tmp_path / "a.png")
    code = "import sys; sys.modules['torch'] = None; from toolbox.cli import run; sys.exit(run('infer', sys.argv[1:]))"
    line = [sys.executable, "-c", code, "a.png", *options]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and wanted in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("model:\n  type: A\n   scale: 2\n", "line 3: is not readable as YAML"),
        ("model:\n\ttype: A\n", "indent with spaces, not tabs"),
        ("model:\n  type: A\n  scale 2\n  x: 1\n", "does the line above lack its ': '?"),
        ("model:\n   type: A\n  scale: 2\n", "is it indented like its neighbours?"),
        ('model: {type: "C:\\Users\\me"}\n', "write a path as C:/Users/me/photos, or in single quotes"),
        ('model: {type: "C:\\new\\table"}\n', "a backslash in double quotes is an escape; write a path as"),
        ('model: {type: "C:\\photos"}\n', "a backslash in double quotes is an escape; write a path as"),
    ],
)
def test_unreadable_yaml_names_the_line_and_the_likely_slip(
    written: str, wanted: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.yaml").write_text(written)
    assert wanted in refused(capsys, "train", tmp_path / "run.yaml")


def test_code_in_yaml_never_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentinel, file = tmp_path / "ran", tmp_path / "evil.yaml"
    file.write_text(f"model: !!python/object/apply:os.system ['touch {sentinel}']\n")
    line = refused(capsys, "train", file)
    assert "evil.yaml" in line and "python/object/apply" in line
    assert not sentinel.exists()


def test_an_unknown_command_plugin_or_option_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'train'?" in refused(capsys, "trian")
    assert "no:cyclegna" in refused(capsys, "plugins", "-p", "no:cyclegna", "list")
    assert "generators" in refused(capsys, "plugins", "show", "generator")
    file = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    assert "model.generator.blocks" in refused(capsys, "train", file, "--cfg-options", "model.generator.blocks=x")


def test_a_visualizer_whose_package_is_missing_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = sr_config(tmp_path)
    config["visualizer"] = {"type": "Visualizer", "vis_backends": [{"type": "TensorboardVisBackend"}]}
    if find_spec("tensorboard") is None:
        line = refused(capsys, "train", write_config(config, tmp_path / "run.yaml"))
        assert "visualizer" in line and "tensorboard" in line
    else:
        assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
        assert list((tmp_path / "run").rglob("events.out.tfevents*"))
