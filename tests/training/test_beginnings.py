"""What a second stage begins with: averages that go on, raw weights by name, discriminators, what fits of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_warm_start import published, standing_still

from matrix import variants
from runs import command, refused, sr_config, weights, write_config
from toolbox.testing import assemble
from toolbox.training.starting import begin_with
from toolbox_plugins.realesrgan.unet_discriminator import UNetDiscriminator
from toolbox_plugins.srgan.algorithm import SRGAN


def moved_on(folder: Path) -> Path:
    """A checkpoint whose averages differ from its weights."""
    config = sr_config(folder, ema=0.5)
    config = {key: value for key, value in config.items() if not key.startswith("val_")}
    config["optim_wrapper"]["generator"]["optimizer"]["lr"] = 0.05
    assert command("train", write_config(config, folder / "first.yaml")) == 0
    return folder / "run/iter_6.pth"


def second_stage(folder: Path, first: Path, load_from: Any, iterations: int, ema: float | None, rate: float) -> Any:
    """The weights after some iterations that begin with a first stage."""
    config = sr_config(folder, ema=ema) | {"load_from": load_from, "work_dir": str(folder / "second")}
    config = {key: value for key, value in config.items() if not key.startswith(("val_", "param_"))}
    config["train_cfg"] = {"max_iters": iterations}
    for group in config["optim_wrapper"].values():
        group["optimizer"] = {"type": "SGD", "lr": rate}
    assert command("train", write_config(config, folder / "second.yaml")) == 0
    return weights(folder / f"second/iter_{iterations}.pth")


@pytest.mark.parametrize("by_slot", [False, True])
def test_averages_are_the_beginning_and_go_on_without_a_warm_up(by_slot: bool, tmp_path: Path) -> None:
    first = moved_on(tmp_path)
    known = weights(first)
    key = next(name for name in known if name.startswith("generator_ema.") and known[name].dim() == 4)
    raw = key.replace("_ema", "")
    assert not torch.allclose(known[key], known[raw], atol=1e-4)
    source: Any = {"generator": f"{first}:generator"} if by_slot else str(first)
    still = second_stage(tmp_path, first, source, 2, 0.9, rate=0.0)
    assert torch.equal(still[raw], known[key]) and torch.allclose(still[key], known[key], atol=1e-7)
    for count in (1, 2, 3):
        moved = second_stage(tmp_path / str(count), first, source, count, 0.9, rate=0.3)
        assert 0 < (moved[key] - known[key]).norm() < 0.35 * (moved[raw] - known[key]).norm()


def test_the_share_of_a_loaded_average_is_its_decay_to_the_power_of_the_updates() -> None:
    algorithm: Any = assemble(SRGAN, variants()["LSGAN"], ema=0.9)
    algorithm.go_on_averaging("generator")
    for average, weight in zip(algorithm.generator_ema.parameters(), algorithm.generator.parameters(), strict=True):
        average.data.fill_(1.0)
        weight.data.fill_(0.0)
    for count in (1, 2, 3):
        algorithm.update_ema()
        share = next(iter(algorithm.generator_ema.parameters())).flatten()[0]
        assert share == pytest.approx(0.9**count, rel=1e-6)
    again: Any = assemble(SRGAN, variants()["LSGAN"], ema=0.9)
    again.set_extra_state(algorithm.get_extra_state())
    assert again.warm == ("generator",)


def test_an_average_that_is_partly_of_initial_weights_warms_up(tmp_path: Path) -> None:
    first, other = (assemble(SRGAN, variants()["LSGAN"], ema=0.999) for _ in range(2))
    state: dict[str, Any] = dict(first.generator.state_dict())
    torch.save({"meta": {"algorithm": "SRGAN"}, "state_dict": {f"generator.{k}": v for k, v in state.items()}},
               tmp_path / "whole.pth")  # fmt: skip
    begin_with(first, {"generator": f"{tmp_path}/whole.pth:generator"})
    assert first.warm == ("generator",)
    kept = {f"generator.{key}": state[key] for key in list(state)[1:]}
    torch.save({"meta": {"algorithm": "SRGAN"}, "state_dict": kept}, tmp_path / "less.pth")
    (note,) = begin_with(other, {"generator": {"file": f"{tmp_path}/less.pth:generator", "partial": True}})
    assert f"1 tensor(s) of generator keep initial weights: {next(iter(state))}" in note
    assert other.warm == ()


@pytest.mark.parametrize("by_slot", [False, True])
def test_raw_weights_are_asked_for_by_name(by_slot: bool, tmp_path: Path) -> None:
    first = moved_on(tmp_path)
    source: Any = {"generator": f"{first}:generator:raw"} if by_slot else f"{first}:raw"
    known, still = weights(first), second_stage(tmp_path, first, source, 2, 0.9, rate=0.0)
    for name, value in known.items():
        if name.startswith("generator."):
            assert torch.equal(still[name], value)
            assert torch.allclose(still[name.replace("generator.", "generator_ema.")], value, atol=1e-7)


def test_a_second_stage_without_averages_begins_with_the_firsts(tmp_path: Path) -> None:
    first = moved_on(tmp_path)
    known, still = weights(first), second_stage(tmp_path, first, str(first), 2, None, rate=0.0)
    assert not any(name.startswith("generator_ema.") for name in still)
    for name, value in known.items():
        if name.startswith("generator_ema."):
            assert torch.equal(still[name.replace("_ema", "")], value)


def test_a_discriminator_begins_with_that_of_another_run(tmp_path: Path) -> None:
    first = moved_on(tmp_path)
    source = {"discriminator": f"{first}:discriminator"}
    known, still = weights(first), second_stage(tmp_path, first, source, 2, 0.9, rate=0.0)
    for name, value in known.items():
        if name.startswith("discriminator."):
            assert torch.equal(still[name], value)


@pytest.mark.parametrize("normalised", [True, False])
def test_a_discriminator_begins_with_a_published_file_whose_spectral_norm_is_folded(
    normalised: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    theirs = UNetDiscriminator(width=4)
    for _ in range(300):  # singular vectors as of a trained network
        theirs(torch.rand(1, 3, 16, 16))
    old = {"weight.original": "weight_orig", "weight.0._u": "weight_u", "weight.0._v": "weight_v"}
    state = theirs.state_dict()
    renamed = {}
    for name, value in state.items():
        head, _, tail = name.partition(".parametrizations.")
        renamed[f"{head}.{old[tail]}" if tail else name] = value
    torch.save({"params": renamed}, tmp_path / "x4plus_netD.pth")
    ours = UNetDiscriminator(width=4, spectral_norm=normalised)
    holder: Any = type("Holder", (), {"generators": (), "judged": {"discriminator": ()}, "averaged": []})()
    holder.discriminator = ours
    assert begin_with(holder, {"discriminator": str(tmp_path / "x4plus_netD.pth")}) == []
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.allclose(ours.eval()(images)[0], theirs.eval()(images)[0], atol=1e-4)


def test_a_partial_start_takes_what_fits_and_names_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    torch.save(published(), tmp_path / "x2.pth")
    config = standing_still(tmp_path)
    config["model"]["generator"]["blocks"] = 2
    source = {"file": str(tmp_path / "x2.pth"), "partial": True}
    config["load_from"] = {"generator": source}
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file) == 0
    found = weights(tmp_path / "run/iter_2.pth")
    for key, value in published().items():
        assert torch.equal(found[f"generator.{key}"], value)
    log = next((tmp_path / "run").glob("*/*.log")).read_text()
    assert "x2.pth: 30 tensor(s) of generator keep initial weights: body.1.rdb1.conv1.weight" in log
    assert command("train", file, "--cfg-options", "load_from={generator: {flie: x.pth}}") == 2
    assert "load_from.generator: wants {file: FILE, partial: true}" in capsys.readouterr().err


def test_a_start_of_which_nothing_fits_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(published(), tmp_path / "x2.pth")
    config = standing_still(tmp_path)
    config["model"]["generator"] = {"type": "ResidualCNN", "width": 8, "blocks": 1, "scale": 2}
    config["load_from"] = {"generator": {"file": str(tmp_path / "x2.pth"), "partial": True}}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 2
    assert "x2.pth: nothing of it fits ResidualCNN" in capsys.readouterr().err


@pytest.mark.parametrize("by_slot", [False, True])
@pytest.mark.parametrize("damage", ["no state", "list", "numbers as names", "meta"])
def test_a_damaged_checkpoint_begins_nothing_and_is_named_in_one_line(
    damage: str, by_slot: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meta: Any = 3 if damage == "meta" else {"algorithm": "SRGAN"}
    content: dict[str, Any] = {"meta": meta}
    if damage != "no state":
        content["state_dict"] = [1] if damage == "list" else {1: torch.ones(2)}
    torch.save(content, tmp_path / "damaged.pth")
    source = f"{tmp_path / 'damaged.pth'}"
    config = sr_config(tmp_path) | {"load_from": {"generator": source} if by_slot else source}
    assert "damaged.pth" in refused(capsys, "train", write_config(config, tmp_path / "run.yaml"))
