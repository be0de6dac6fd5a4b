"""What a machine has is asked in one place: `new`, `doctor` and `benchmark` say the same of it."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from runs import sr_config, write_config
from toolbox.assembly.doctor import accelerators, processor
from toolbox.assembly.machine import Machine, cores, emulation_told, precision_of, this_machine
from toolbox.assembly.runner import build_runner
from toolbox.config import load_config


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


@pytest.mark.parametrize(("asked", "having", "without"), [("auto", "bfloat16", None), (None, None, None),
                                                          ("bfloat16", "bfloat16", "bfloat16")])  # fmt: skip
def test_auto_takes_bfloat16_where_hardware_computes_it(
    asked: str | None, having: str | None, without: str | None
) -> None:
    assert precision_of(asked, Machine(2, bfloat16=True)) == having
    assert precision_of(asked, Machine(2)) == without


def test_bfloat16_that_is_emulated_is_told_with_the_way_out() -> None:
    told = emulation_told("bfloat16", Machine(2)) or ""
    assert told.startswith("this processor only emulates bfloat16") and "env_cfg.amp=null" in told
    assert (emulation_told("bfloat16", Machine(2, "GTX 1080")) or "").startswith("GTX 1080 only")
    assert not any(emulation_told(asked, Machine(2)) for asked in ("auto", "float16", None))
    assert emulation_told("bfloat16", Machine(2, bfloat16=True)) is None


@pytest.mark.parametrize("has", [True, False])
def test_a_run_computes_in_what_suits_the_machine(
    has: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    without_gpu(monkeypatch, avx512=has, amx=False)
    config = load_config(write_config(sr_config(tmp_path), tmp_path / "run.yaml"))
    config.data["env_cfg"] = {"amp": "auto"}
    assert build_runner(config).amp == ("bfloat16" if has else None)
    assert not caplog.records
    config.data["env_cfg"] = {"amp": "bfloat16"}
    assert build_runner(config).amp == "bfloat16", "what is asked for in words is done"
    assert ("emulates" in caplog.text) != has


def test_every_shipped_recipe_suits_machines_without_bfloat16() -> None:
    for file in (Path(__file__).parents[2] / "configs").rglob("*.yaml"):
        assert "amp: bfloat16" not in file.read_text("utf-8"), f"{file}: amp: auto"
