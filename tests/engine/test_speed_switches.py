"""What makes a step faster must not change what it computes, beyond the precision it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from matrix import CELLS, VARIANTS, algorithm_class
from runs import command, sr_config, weights, write_config
from toolbox.assembly.build import build_algorithm
from toolbox.contracts.gan_variant import GanVariant
from toolbox.engine.memory import keep_freed_memory
from toolbox.engine.optimizers import GuardedOptimWrapper, LossScale, build_optimizers
from toolbox.engine.precision import set_tf32
from toolbox.testing import assemble, batch_for

ADAM = {name: {"optimizer": {"type": "Adam", "lr": 1e-3}} for name in ("generator", "discriminator")}


def amp_optimizers(model: Any, *, amp: str | None) -> Any:
    return build_optimizers(model, ADAM, amp=amp, device_type="cpu")


@pytest.mark.parametrize(("algorithm", "variant"), CELLS)
def test_bfloat16_trains_with_float32_weights_losses_and_penalties(algorithm: str, variant: str) -> None:
    seen: list[torch.dtype] = []

    def watched() -> GanVariant:
        made = VARIANTS[variant]()
        inner = made.regularize

        def regularize(discriminator: Any, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
            logits = discriminator(real)
            seen.extend([real.dtype, fake.dtype, logits[0].dtype])
            return inner(discriminator, real, fake)

        made.regularize = regularize  # pyright: ignore[reportAttributeAccessIssue]
        return made

    model = assemble(algorithm_class(algorithm), watched, ema=0.9)
    optimizers = amp_optimizers(model, amp="bfloat16")
    for step in range(max(int(v.d_steps) for v in model.variants.values())):  # pyright: ignore[reportArgumentType]
        logs = model.train_step(batch_for(model, seed=step), optimizers)
        assert all(value.dtype == torch.float32 and torch.isfinite(value) for value in logs.values())
    assert set(seen) == {torch.float32}, "a penalty was computed in bfloat16"
    assert all(p.dtype == torch.float32 for p in model.parameters())


def test_bfloat16_follows_float32_closely_over_a_few_steps() -> None:
    finals = []
    for amp in (None, "bfloat16"):
        model = assemble(algorithm_class("SRGAN"), VARIANTS["LSGAN"])
        optimizers = amp_optimizers(model, amp=amp)
        for step in range(5):
            model.train_step(batch_for(model, seed=step), optimizers)
        finals.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert 0 < (finals[0] - finals[1]).abs().max() < 0.02


@pytest.mark.parametrize("channels_last", [True, False])
def test_channels_last_converts_networks_and_images(channels_last: bool, tmp_path: Path) -> None:
    model: Any = build_algorithm(sr_config(tmp_path, channels_last=channels_last)["model"])
    images = model.data_preprocessor({"hr": torch.zeros(2, 32, 32, 3, dtype=torch.uint8)}, True)["hr"]
    for tensor in (images, model.generator.first.weight, model.generator_ema.first.weight):
        assert tensor.is_contiguous(memory_format=torch.channels_last) == channels_last


def test_channels_last_changes_nothing_but_rounding(tmp_path: Path) -> None:
    finals = []
    for channels_last in (True, False):
        config = sr_config(tmp_path, channels_last=channels_last)
        config["work_dir"] = str(tmp_path / str(channels_last))
        assert command("train", write_config(config, tmp_path / f"{channels_last}.yaml")) == 0
        finals.append(weights(tmp_path / str(channels_last) / "iter_6.pth"))
    for name, value in finals[0].items():
        assert torch.allclose(value, finals[1][name], atol=1e-3), name


def test_the_amp_flag_trains_and_resumes(tmp_path: Path) -> None:
    file = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    assert command("train", file, "--amp", "--cfg-options", "train_cfg.max_iters=4") == 0
    assert command("train", file, "--amp", "--resume") == 0
    assert all(v.dtype != torch.bfloat16 for v in weights(tmp_path / "run" / "iter_6.pth").values())


def test_optimizers_are_fused_unless_the_config_chooses() -> None:
    model = assemble(algorithm_class("SRGAN"), VARIANTS["LSGAN"])
    wrapper: GuardedOptimWrapper = amp_optimizers(model, amp=None)["generator"]
    assert wrapper.fused
    plain = {name: {"optimizer": {"type": "Adam", "foreach": True}} for name in ADAM}
    assert not build_optimizers(model, plain, amp=None, device_type="cpu")["generator"].fused
    other = {name: {"optimizer": {"type": "RMSprop"}} for name in ADAM}
    assert not build_optimizers(model, other, amp=None, device_type="cpu")["discriminator"].fused


def test_freed_memory_is_kept_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLBOX_KEEP_MEMORY", "0")
    assert not keep_freed_memory()
    monkeypatch.delenv("TOOLBOX_KEEP_MEMORY")
    monkeypatch.setenv("LD_PRELOAD", "libjemalloc.so")
    assert not keep_freed_memory()


# ---------------------------------------------------------------------- float16


def test_float16_trains_with_float32_weights_and_scales_its_losses() -> None:
    model = assemble(algorithm_class("SRGAN"), VARIANTS["LSGAN"])
    optimizers = amp_optimizers(model, amp="float16")
    before = torch.cat([p.detach().flatten() for p in model.parameters()])
    for step in range(3):
        logs = model.train_step(batch_for(model, seed=step), optimizers)
        assert all(value.dtype == torch.float32 and torch.isfinite(value) for value in logs.values())
    after = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert all(p.dtype == torch.float32 for p in model.parameters())
    assert 0 < (after - before).abs().max() < 0.1
    for name in ("generator", "discriminator"):  # the scale may begin too large, which costs a step
        skipped, _ = optimizers[name].count_skipped()
        assert skipped <= 1 and int(optimizers[name].scale.good) == 3 - skipped


def test_the_loss_scale_takes_itself_off_before_clipping_and_halves_after_an_overflow() -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    wrapper = GuardedOptimWrapper(
        optimizer=torch.optim.SGD([weight], lr=1.0),
        precision=torch.float16,
        clip_grad={"type": "norm", "max_norm": 0.25},
    )
    assert wrapper.scale is not None
    wrapper.update_params((weight * 2).sum())  # a gradient of 2, clipped to 0.25
    assert weight.item() == pytest.approx(0.75, abs=1e-6)
    wrapper.update_params((weight * float("inf")).sum())
    assert weight.item() == pytest.approx(0.75, abs=1e-6) and wrapper.scale.value.item() == 2.0**15
    assert wrapper.count_skipped() == (1, 1)


def test_the_loss_scale_doubles_after_as_many_good_steps_as_it_waits_for() -> None:
    scale = LossScale(start=4.0, interval=2)
    for _ in range(2):
        scale.update(torch.zeros(()))
    assert (scale.value.item(), scale.good.item()) == (8.0, 0)


def test_a_float16_run_resumes_exactly_and_takes_its_loss_scale_along(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    config["env_cfg"] = {"amp": "float16"}
    file = write_config(config, tmp_path / "run.yaml")
    shorter = ("--cfg-options", "train_cfg.max_iters=4", "param_scheduler.generator.0.end=6")
    assert command("train", file, "--work-dir", tmp_path / "whole") == 0
    assert command("train", file, *shorter) == 0
    assert command("train", file, "--resume") == 0
    whole, resumed = (torch.load(tmp_path / run / "iter_6.pth", weights_only=True) for run in ("whole", "run"))
    for name, value in whole["state_dict"].items():
        assert not isinstance(value, torch.Tensor) or torch.equal(value, resumed["state_dict"][name]), name
    assert resumed["optimizer"]["generator"]["loss_scale"]["good"] == 6


def test_float16_and_one_graph_are_refused_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = sr_config(tmp_path, one_graph=True)
    config["env_cfg"] = {"amp": "float16"}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 2
    assert "model.one_graph: takes a gradient that float16's loss scale does not reach" in capsys.readouterr().err


# ---------------------------------------------------------------------- TensorFloat-32


def test_tf32_is_switched_for_products_and_convolutions_or_left_to_torch() -> None:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    try:
        for on in (True, False):
            set_tf32(on)
            set_tf32(None)
            assert torch.backends.cuda.matmul.allow_tf32 is on and torch.backends.cudnn.allow_tf32 is on
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
