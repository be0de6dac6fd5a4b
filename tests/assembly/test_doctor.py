"""The doctor: each thing that can be wrong is one line with its way out, and nothing it misses stops it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from made_up import Install
from runs import command, sr_config, write_config
from toolbox.assembly import doctor
from toolbox.assembly.doctor import Finding, combinations, examine_installation, isolated, one_version
from toolbox.assembly.doctor_config import examine_config
from toolbox.config import load_config
from toolbox.io.errors import UserError


def of(findings: Iterable[Finding], subject: str) -> Finding:
    """The one finding on a subject."""
    (found,) = [finding for finding in findings if finding.subject == subject]
    return found


def examined(folder: Path, **changes: Any) -> list[Finding]:
    """What is found of a small config with some of its sections changed."""
    return list(examine_config(load_config(write_config({**sr_config(folder), **changes}, folder / "run.yaml"))))


def test_a_sound_installation_and_a_shipped_config_have_nothing_bad(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "MODULES", ("numpy", "PIL", "yaml"))
    assert command("doctor", "demo/style.yaml") == 0
    shown = capsys.readouterr().out
    assert " ok, " in shown or shown.strip().endswith(" ok")
    for subject in ("torch", "mmcv-lite", "plugins", "train_dataloader.dataset.root_a", "7 images, all"):
        assert subject in shown


@pytest.mark.parametrize(
    ("there", "wanted", "tested", "state"),
    [
        ("2.13.0+cpu", ">=2.11", "2.13.0", "ok"),
        ("2.10.0", ">=2.11", "2.13.0", "bad"),
        ("2.14.0", ">=2.11", "2.13.0", "warn"),
        ("2.14.0.dev20260101+cu130", ">=2.11", "2.13.0", "warn"),
        ("0.10.6", "==0.10.7", "0.10.7", "bad"),
        ("2.14.0", ">=2.11", None, "ok"),
        ("?", ">=2.11", "2.13.0", "bad"),
    ],
)
def test_a_version_is_tested_or_merely_allowed_or_refused(
    there: str, wanted: str, tested: str | None, state: str
) -> None:
    finding = one_version("torch", there, wanted, tested)
    assert finding.state == state and bool(finding.way_out) == (state != "ok")


@pytest.mark.parametrize(
    ("packages", "subject", "state"),
    [
        (["torch-fidelity"], "torch-fidelity", "bad"),
        (["onedl-mmengine", "mmengine"], "onedl-mmengine", "bad"),
        (["mmcv", "mmcv-lite"], "mmcv", "bad"),
        (["opencv-python", "opencv-python-headless"], "opencv", "warn"),
        (["mmengine", "mmcv-lite", "opencv-python"], "combinations", "ok"),
    ],
)
def test_packages_that_break_each_other_are_named(
    packages: list[str], subject: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "installed", lambda *names: {name: "1.0" for name in names if name in packages})
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    (finding,) = combinations()
    assert (finding.subject, finding.state) == (subject, state)
    assert state == "ok" or "pip uninstall" in finding.way_out


def test_torch_fidelity_with_torchvision_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "installed", lambda *names: {n: "1.0" for n in names if n == "torch-fidelity"})
    monkeypatch.setattr(doctor, "find_spec", lambda name: object())
    assert [finding.state for finding in combinations()] == ["ok"]


def test_an_import_that_fails_or_crashes_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "crashing.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for module, wanted in (("no_such_module", "No module named 'no_such_module'"), ("crashing", "code -9")):
        monkeypatch.setattr(doctor, "MODULES", ("os", module, "json"))
        (finding,) = doctor.imports()
        assert finding.subject == f"import {module}" and finding.state == "bad" and wanted in finding.found


def test_a_check_that_cannot_be_made_is_a_line_and_a_bug_is_not_hidden() -> None:
    def failing(error: Exception) -> Any:
        def check() -> Iterable[Finding]:
            raise error

        return check

    for error in (UserError("a"), ImportError("b"), PermissionError(13, "c")):
        (finding,) = isolated("x", failing(error))
        assert finding.state == "bad" and type(error).__name__ in finding.found
    with pytest.raises(ZeroDivisionError):
        list(isolated("x", failing(ZeroDivisionError())))


@pytest.mark.parametrize("module", ["torch", "rich", "pluggy", "packaging"])
def test_it_answers_whatever_is_missing(module: str) -> None:
    code = (
        f"import sys; sys.modules[{module!r}] = None; import toolbox.assembly.doctor as d; d.MODULES = ();"
        "from toolbox.cli import run; raise SystemExit(run('doctor', ['demo/style.yaml']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "ModuleNotFoundError" in done.stdout and done.stdout.strip().endswith(" bad")


def test_a_broken_plugin_is_a_warning_that_names_it(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MODULES", ())
    install("mygan", "import no_such_package")
    found = list(examine_installation())
    finding = of(found, "plugin mygan")
    assert finding.state == "warn" and "no_such_package" in finding.found and "-p no:mygan" in finding.way_out
    assert of(found, "plugins").state == "ok"


def test_a_preloaded_allocator_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "libjemalloc.so.2")
    assert of(doctor.processor(), "LD_PRELOAD").state == "ok"


def test_more_threads_than_cores_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 10_000)
    finding = of(doctor.processor(), "CPU")
    assert finding.state == "warn" and finding.way_out.startswith("OMP_NUM_THREADS=")


def test_data_are_counted_and_the_first_unreadable_image_is_named(tmp_path: Path) -> None:
    assert "4 images, all readable" in of(examined(tmp_path), "train_dataloader.dataset.root").found
    (tmp_path / "photos" / "01.png").write_bytes((tmp_path / "photos" / "01.png").read_bytes()[:200])
    (tmp_path / "photos" / "02.png").write_bytes(b"")
    config = load_config(tmp_path / "run.yaml")
    finding = of(examine_config(config), "train_dataloader.dataset.root")
    assert finding.state == "bad" and "01.png: damaged image" in finding.found
    finding = of(examine_config(config, seconds=0), "train_dataloader.dataset.root")
    assert finding.state == "ok" and "first 0 readable" in finding.found


def test_data_that_are_not_there_are_named_once_for_each_folder(tmp_path: Path) -> None:
    dataset = {"type": "PairedFolders", "roots": {"lr": "no/lr", "hr": "no/hr"}}
    found = examined(tmp_path, train_dataloader={"dataset": dataset})
    assert of(found, "train_dataloader.dataset.roots.lr").state == "bad"
    assert "no/hr: no such folder" in of(found, "train_dataloader.dataset.roots.hr").found


def test_weights_are_present_or_fetched_or_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    torch.hub.set_dir(tmp_path / "torch" / "hub")
    try:
        address, key = "https://example.org/vgg19-dcbb9e9d.pth", "model.losses.perceptual.features.weights"

        def finding(weights: str) -> Finding:
            features = {"type": "VGG19", "weights": weights}
            config = sr_config(tmp_path / "data")
            config["model"]["losses"]["perceptual"] = {
                "type": "PerceptualLoss", "layers": {"conv5_4": 1.0}, "features": features,
            }  # fmt: skip
            return of(examined(tmp_path, model=config["model"]), key)

        assert finding(address).state == "warn"
        assert finding(str(tmp_path / "vgg.pth")).state == "bad"
        for file in (tmp_path / "vgg.pth", tmp_path / "torch/hub/checkpoints/vgg19-dcbb9e9d.pth"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"x")
        assert finding(address).state == finding(str(tmp_path / "vgg.pth")).state == "ok"
    finally:
        torch.hub._hub_dir = None


def test_a_starting_point_that_is_missing_is_bad(tmp_path: Path) -> None:
    finding = of(examined(tmp_path, load_from=str(tmp_path / "stage1.pth")), "load_from")
    assert finding.state == "bad" and "stage1.pth" in finding.found
    (tmp_path / "stage1.pth").write_bytes(b"x")
    assert of(examined(tmp_path, load_from=str(tmp_path / "stage1.pth")), "load_from").state == "ok"


def test_the_work_dir_is_tried_and_not_made(tmp_path: Path) -> None:
    finding = of(examined(tmp_path, work_dir=str(tmp_path / "new" / "run")), "work_dir")
    assert finding.state in ("ok", "warn") and "GiB free" in finding.found
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("")
    assert of(examined(tmp_path, work_dir=str(tmp_path / "file" / "run")), "work_dir").state == "bad"


def test_a_wrong_config_is_a_line_and_the_exit_code_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "MODULES", ())
    file = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    assert command("doctor", file, "--cfg-options", "model.generator.bloks=3") == 1
    assert "did you mean 'blocks'?" in " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert command("doctor", tmp_path / "absent.yaml") == 1
    assert command("doctor", file) == 0


def test_every_path_that_a_config_names_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "there.jpg").write_bytes(b"")
    perceptual = {"type": "StyleImageLoss", "image": str(tmp_path / "there.jpg"), "features": {"type": "VGG19"}}
    losses = {"pixel": {"type": "L1Loss"}, "style": [perceptual, {**perceptual, "image": "paintings/nowhere.jpg"}]}
    degradation = {"type": "Stages", "stages": [{"type": "Kernels", "file": "kernels.npz"}]}
    config = load_config(write_config(sr_config(tmp_path, losses=losses, degradation=degradation), tmp_path / "c.yaml"))
    config.data["val_evaluator"] += [
        {"type": "LPIPS", "weights": "nowhere.pth"},
        {"type": "ColorHistogramDistance", "prediction": "sr", "style": "paintings/folder"},
    ]
    transforms = [{"type": "Copy", "source": "hr", "target": "style"}, {"type": "Lut", "tables": ["a.cube", "b.cube"]}]
    config.data["train_dataloader"]["dataset"]["transforms"] = transforms
    findings = list(examine_config(config))
    assert of(findings, "model.losses.style.0.image").state == "ok"
    missing = {each.subject for each in findings if each.state == "bad" and "there is no file" in each.found}
    assert missing == {
        "model.losses.style.1.image",
        "model.degradation.stages.0.file",
        "val_evaluator.1.weights",
        "val_evaluator.2.style",
        "train_dataloader.dataset.transforms.1.tables",
    }
