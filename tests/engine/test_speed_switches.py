"""What makes a step faster must not change what it computes, beyond the precision it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from matrix import CELLS, VARIANTS, algorithm_class
from runs import command, sr_config, weights, write_config
from toolbox.build import build_algorithm
from toolbox.engine.memory import keep_freed_memory
from toolbox.engine.optimizers import GuardedOptimWrapper, build_optimizers
from toolbox.gan_variant import GanVariant
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
