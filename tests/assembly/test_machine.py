"""What a machine has is asked in one place: `new`, `doctor` and `benchmark` say the same of it."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from runs import sr_config
from toolbox.assembly.doctor import accelerators, processor
from toolbox.assembly.machine import Machine, cores, this_machine, training_precision
from toolbox.assembly.runner import build_runner
from toolbox.config.load import Config


def without_gpu(monkeypatch: pytest.MonkeyPatch, *, avx512: bool, amx: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)


@pytest.mark.parametrize(("avx512", "amx", "said"), [(False, False, "emulated"), (True, False, "(AVX-512)"),
                                                     (True, True, "(AVX-512, AMX)")])  # fmt: skip
def test_new_and_doctor_say_the_same_of_a_processor(
    avx512: bool, amx: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_gpu(monkeypatch, avx512=avx512, amx=amx)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert cores() == 3 and this_machine() == Machine(3, bfloat16=avx512 or amx)
    found = {each.subject: each.found for each in processor()}
    assert found["CPU"].startswith("3 cores, ") and said in found["bfloat16 on the CPU"]


@pytest.mark.parametrize(("generation", "has"), [(7, False), (8, True), (9, True)])
def test_new_and_doctor_say_the_same_of_a_gpu(generation: int, has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    device = SimpleNamespace(name="GPU", total_memory=24 * 2**30, major=generation)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: device)
    assert this_machine() == Machine(cores(), "GPU", 24.0, has)
    (found,) = accelerators()
    assert ("no bfloat16" in found.found) != has


FAST, SLOW = Machine(2, bfloat16=True), Machine(2)


@pytest.mark.parametrize(
    ("asked", "machine", "taken", "said"),
    [
        ("auto", FAST, "bfloat16", ""),
        ("auto", SLOW, None, "float32 here"),
        ("bfloat16", SLOW, "bfloat16", "emulated here, slowly (2 CPU cores, no bfloat16 in hardware)"),
        ("bfloat16", FAST, "bfloat16", ""),
        ("float16", SLOW, "float16", ""),
        (None, SLOW, None, ""),
    ],
)
def test_auto_is_bfloat16_where_hardware_computes_it(
    asked: str | None, machine: Machine, taken: Any, said: str
) -> None:
    precision, told = training_precision(asked, machine)
    assert precision == taken and said in told and bool(said) == bool(told)


@pytest.mark.parametrize(("amp", "emulated", "computes"), [("auto", True, None), ("auto", False, "bfloat16"),
                                                           ("bfloat16", True, "bfloat16")])  # fmt: skip
def test_a_training_computes_in_what_the_machine_has(
    amp: str, emulated: bool, computes: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    without_gpu(monkeypatch, avx512=not emulated, amx=False)
    config = sr_config(tmp_path)
    config["env_cfg"] = {"amp": amp}
    runner = build_runner(Config(config, tmp_path / "run.yaml"), splits=("train",))
    assert runner.amp == computes
    assert ("emulated here" in capsys.readouterr().out) == (amp == "bfloat16" and emulated)


def test_every_shipped_recipe_suits_machines_without_bfloat16() -> None:
    for file in (Path(__file__).parents[2] / "configs").rglob("*.yaml"):
        assert "amp: bfloat16" not in file.read_text("utf-8"), f"{file}: amp: auto"
