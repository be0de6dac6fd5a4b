"""Checkpoints: plain, whole, refused when they could run code or do not fit."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from torch import nn

from runs import command, sr_config, write_config
from toolbox.engine.rank_state import message_hub_state
from toolbox.io.errors import RunFailed, UserError
from toolbox.weights.checkpoint import checkpoints, hash_file, read_checkpoint, remove_checkpoint, write_checkpoint
from toolbox.weights.state import load_portable_state, plain


class Evil:
    """Unpickling it would run a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("as_zip", [True, False])
def test_a_malicious_checkpoint_is_refused_and_nothing_runs(as_zip: bool, tmp_path: Path) -> None:
    sentinel, path = tmp_path / "ran", tmp_path / "evil.pth"
    if as_zip:
        torch.save({"state_dict": Evil(f"touch {sentinel}")}, path)
    else:
        path.write_bytes(pickle.dumps({"state_dict": Evil(f"touch {sentinel}")}))
    with pytest.raises(UserError, match=r"evil\.pth: refused, because .* would run code") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert not sentinel.exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04" + bytes(50)])
def test_a_damaged_checkpoint_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "iter_5.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"iter_5\.pth: "):
        read_checkpoint(path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_truncated_checkpoint_is_never_loaded(share: float, tmp_path: Path) -> None:
    path = tmp_path / "iter_5.pth"
    write_checkpoint({"weights": torch.randn(1000)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UserError, match=r"iter_5\.pth"):
        read_checkpoint(path)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    content = {
        "tensor": torch.arange(3),
        "nested": {"list": [1, 2.5, "x", None, True], "tuple": (1, 2)},
        "numpy": np.float64(0.5),
        "array": np.arange(2),
    }
    write_checkpoint(content, tmp_path / "a.pth")
    read = read_checkpoint(tmp_path / "a.pth")
    assert torch.equal(read["tensor"], torch.arange(3))
    assert read["nested"] == content["nested"] and read["numpy"] == 0.5
    assert type(read["numpy"]) is float and torch.equal(read["array"], torch.arange(2))


def test_a_failed_write_raises_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    write_checkpoint({"x": 1}, path)
    with pytest.raises(TypeError, match=r"checkpoint\.x holds a .*Evil"):
        write_checkpoint({"x": Evil("true")}, path)
    assert read_checkpoint(path) == {"x": 1}
    assert sorted(os.listdir(tmp_path)) == ["a.pth", "a.pth.sha256"]


def test_the_message_hubs_history_survives_as_tensors() -> None:
    history = HistoryBuffer([1.0, 2.0, 3.0], [1, 1, 2])
    packed = plain({"log_scalars": {"train/loss": history}, "runtime_info": {}, "resumed_keys": {}})
    log, counts = message_hub_state(packed)["log_scalars"]["train/loss"].data
    assert log.tolist() == [1, 2, 3] and counts.tolist() == [1, 1, 2]


def test_a_checkpoint_that_does_not_fit_lists_what_differs() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    state = {
        "0.weight": torch.zeros(3, 2),
        "0.bias": torch.zeros(4),
        "1.weight": torch.zeros(1, 3),
        "x.y": torch.zeros(1),
    }
    with pytest.raises(UserError) as caught:
        load_portable_state(model, state, "old.pth")
    assert str(caught.value) == (
        "old.pth: does not fit the config's model: missing 1.bias; unexpected x.y; "
        "0.bias has shape (4,) instead of (3,)"
    )


def test_checkpoints_are_found_newest_first_and_removed_with_their_hash(tmp_path: Path) -> None:
    assert checkpoints(tmp_path) == []
    for number in (2, 10, 9):
        write_checkpoint({}, tmp_path / f"iter_{number}.pth")
    write_checkpoint({}, tmp_path / "iter_best.pth")
    assert [path.name for path in checkpoints(tmp_path)] == ["iter_10.pth", "iter_9.pth", "iter_2.pth"]
    remove_checkpoint(tmp_path / "iter_10.pth")
    assert not hash_file(tmp_path / "iter_10.pth").exists() and len(checkpoints(tmp_path)) == 2


def test_the_hash_beside_a_checkpoint_is_what_sha256sum_writes(tmp_path: Path) -> None:
    path = tmp_path / "iter_1.pth"
    write_checkpoint({"x": torch.arange(5)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert hash_file(path).read_text() == f"{digest}  iter_1.pth\n"


def test_two_hundred_truncations_and_bit_flips_are_all_detected(tmp_path: Path) -> None:
    path = tmp_path / "iter_1.pth"
    write_checkpoint({"state_dict": {"w": torch.randn(40, 40)}, "meta": {"iter": 1}}, path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for case in range(200):
        place = int(rng.integers(len(whole)))
        damaged = bytearray(whole[:place] if case % 2 else whole)
        if case % 2 == 0:
            damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"iter_1\.pth: is damaged"):
            read_checkpoint(path)
    path.write_bytes(whole)
    assert read_checkpoint(path)["meta"] == {"iter": 1}


def test_a_full_disk_raises_and_keeps_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "iter_1.pth"
    write_checkpoint({"x": 1}, path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunFailed, match=r"iter_1\.pth: could not be written .*No space left"):
        write_checkpoint({"x": 2}, path)
    assert read_checkpoint(path) == {"x": 1}
    assert sorted(os.listdir(tmp_path)) == ["iter_1.pth", "iter_1.pth.sha256"]


def test_the_best_checkpoint_by_a_named_metric_is_kept_across_a_resume(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    config["default_hooks"]["checkpoint"] = {"interval": 2, "save_best": "psnr"}
    config["train_cfg"] = {"max_iters": 4, "val_interval": 1}
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file) == 0
    scalars = "".join(path.read_text() for path in (tmp_path / "run").glob("*/vis_data/scalars.json"))
    history = [line for line in map(json.loads, scalars.splitlines()) if "val/psnr" in line]
    best = max(line["val/psnr"] for line in history)
    checkpoint = read_checkpoint(tmp_path / "run" / "best_psnr.pth")
    assert checkpoint["message_hub"]["runtime_info"]["best"] == pytest.approx(best)
    assert history[checkpoint["meta"]["iter"] - 1]["val/psnr"] == pytest.approx(best)
    assert command("train", file, "--resume", "--cfg-options", "train_cfg.max_iters=6") == 0
    later = read_checkpoint(tmp_path / "run" / "best_psnr.pth")["message_hub"]["runtime_info"]["best"]
    assert later >= best


def test_a_best_metric_that_is_not_measured_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = sr_config(tmp_path)
    config["default_hooks"]["checkpoint"] = {"save_best": "pnsr"}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 2
    assert "run.yaml: default_hooks.checkpoint.save_best: validation measures no 'pnsr'; did you mean 'psnr'?" in (
        capsys.readouterr().err
    )
    assert not list(tmp_path.glob("run/iter_*.pth"))  # it was told before the first iteration


def test_a_new_run_in_an_old_runs_folder_moves_its_checkpoints_aside(tmp_path: Path) -> None:
    file = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    assert command("train", file, "--cfg-options", "train_cfg.max_iters=8") == 0
    old = (tmp_path / "run" / "iter_8.pth").read_bytes()
    assert command("train", file) == 0
    assert checkpoints(tmp_path / "run")[0].name == "iter_6.pth"
    assert (tmp_path / "run" / "last_checkpoint").read_text() == "iter_6.pth\n"
    (aside,) = (tmp_path / "run").glob("before_*")
    assert (aside / "iter_8.pth").read_bytes() == old and hash_file(aside / "iter_8.pth").is_file()


def test_a_checkpoint_without_the_generator_is_nothing_to_test(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    assert command("train", file) == 0
    content = read_checkpoint(tmp_path / "run" / "iter_6.pth")
    content["state_dict"] = {k: v for k, v in content["state_dict"].items() if not k.startswith("generator")}
    write_checkpoint(content, tmp_path / "part.pth")
    assert command("test", file, tmp_path / "part.pth") == 2
    assert "part.pth: holds no generator" in capsys.readouterr().err


def test_resume_prefers_the_runs_own_checkpoint_to_the_first_stages(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    first = write_config({**config, "work_dir": str(tmp_path / "first")}, tmp_path / "first.yaml")
    assert command("train", first, "--cfg-options", "train_cfg.max_iters=4") == 0
    second = write_config({**config, "load_from": str(tmp_path / "first" / "iter_4.pth")}, tmp_path / "second.yaml")
    assert command("train", second, "--resume", "--cfg-options", "train_cfg.max_iters=2") == 0  # begins
    assert command("train", second, "--resume") == 0  # continues
    logs = "".join(path.read_text() for path in (tmp_path / "run").glob("*/*.log"))
    assert "loaded" in logs and f"resumed {tmp_path / 'run' / 'iter_2.pth'} at iteration 2" in logs


def test_a_resumed_runs_report_keeps_the_rows_of_earlier_phases(tmp_path: Path) -> None:
    phases = [{"name": "first", "until": 3, "adversaries": []}, {"name": "second"}]
    file = write_config(sr_config(tmp_path, phases=phases), tmp_path / "run.yaml")
    assert command("train", file, "--cfg-options", "train_cfg.max_iters=4") == 0
    assert command("train", file, "--resume") == 0
    rows = json.loads((tmp_path / "run" / "report.json").read_text())["rows"]
    assert list(rows) == ["do nothing", "first (3 iterations)", "second (6 iterations)"]


def test_bits_that_flipped_in_a_checkpoint_without_its_sha_256_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    write_checkpoint({"state_dict": {"x": torch.full((100,), 1.5)}}, path)
    hash_file(path).unlink()
    assert read_checkpoint(path)["state_dict"]["x"].unique().item() == 1.5
    content = bytearray(path.read_bytes())
    at = content.find(torch.full((4,), 1.5).numpy().tobytes())
    content[at + 2] ^= 1
    path.write_bytes(content)
    assert torch.load(path, weights_only=True)["state_dict"]["x"][0] != 1.5  # torch does not notice
    with pytest.raises(UserError, match=r"a\.pth: is damaged: its record .*/data/0 has another checksum"):
        read_checkpoint(path)
