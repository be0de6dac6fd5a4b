"""What a machine has is asked in one place: `new`, `doctor` and `benchmark` say the same of it."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
import torch

from toolbox.assembly.doctor import accelerators, processor
from toolbox.assembly.machine import Machine, cores, this_machine


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
