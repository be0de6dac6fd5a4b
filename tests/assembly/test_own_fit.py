"""How a recipe is fitted to pictures and a machine, and written as what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from toolbox.assembly.machine import Machine
from toolbox.assembly.own_fit import apart, fit
from toolbox.assembly.own_yaml import changes, flow, written
from toolbox.config.merge import Layer, lay_over
from toolbox.config.yaml_loader import parse_yaml
from toolbox.io.errors import UserError

CPU = Machine(cores=2)


def recipe(**model: Any) -> dict[str, Any]:
    return {
        "model": {"type": "SRGAN", "generator": {"type": "SRResNet", "width": 8}, **model},
        "train_dataloader": {"batch_size": 2, "dataset": {"transforms": [{"type": "RandomCrop", "size": 192}]}},
        "train_cfg": {"max_iters": 100, "val_interval": 50},
        "env_cfg": {"amp": "bfloat16"},
    }


def test_a_processor_without_bfloat16_computes_in_float32() -> None:
    assert fit(recipe(), [[256] * 9], CPU, own=True).data["env_cfg"]["amp"] is None
    assert fit(recipe(), [[256] * 9], Machine(2, bfloat16=True), own=True).data["env_cfg"]["amp"] == "bfloat16"


def test_a_gpu_gets_larger_batches_wider_networks_and_a_longer_run() -> None:
    made = fit(recipe(), [[256] * 9], Machine(16, "GPU", 80.0, True), own=True).data
    assert (made["train_dataloader"]["batch_size"], made["train_dataloader"]["num_workers"]) == (8, 8)
    assert made["model"]["generator"]["width"] == 16 and made["train_cfg"]["max_iters"] == 500
    begun = {**recipe(), "load_from": {"generator": "x.safetensors"}}
    assert fit(begun, [[256] * 9], Machine(16, "GPU", 80.0, True), own=True).data["model"]["generator"]["width"] == 8


def test_a_recipe_that_is_not_for_own_pictures_keeps_its_length() -> None:
    made = fit(recipe(), [[100] * 9], Machine(16, "GPU", 80.0, True), own=False)
    assert made.data["train_cfg"]["max_iters"] == 100 and made.data["train_dataloader"]["batch_size"] == 2
    assert made.data["train_dataloader"]["dataset"]["transforms"] == [{"type": "RandomCrop", "size": 96}]


@pytest.mark.parametrize(("count", "every", "held"), [(2, 2, 1), (3, 3, 1), (19, 19, 1), (20, 10, 2), (5000, 156, 32)])
def test_about_a_tenth_is_kept_apart_and_no_more_than_32(
    count: int, every: int, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolbox.assembly.own_fit._reads", lambda path: True)
    paths = [Path(f"{number}.png") for number in range(count)]
    kept, those = apart(paths, {})
    assert (kept, len(those)) == (every, held)
    assert apart(paths[:1], {}) == (None, [])
    kept, those = apart(paths, {paths[every - 1]: "damaged"}) if count > 3 else (0, [])
    assert paths[every - 1] not in those
    with pytest.raises(UserError, match=r"1\.png: damaged; too many"):
        apart(paths, dict.fromkeys(paths[1:], "damaged"))


def test_what_is_written_over_a_recipe_gives_the_config() -> None:
    old = {"a": {"b": 1, "c": [1, 2]}, "d": {"type": "X", "y": 1}, "e": 1}
    new = {"a": {"b": 2, "c": [1, 2]}, "d": {"type": "Z"}, "e": 1, "f": None}
    difference = changes(old, new)
    assert difference == {"a": {"b": 2}, "d": {"_delete_": True, "type": "Z"}, "f": None}
    text = written(difference, {"a.b": "why"})
    assert "  b: 2  # why\n" in text
    read = parse_yaml(text, "x.yaml")
    assert read == difference
    base, over = Layer(old, dict.fromkeys(["a", "a.b", "a.c", "d", "d.type", "d.y", "e"], "o")), Layer(read)
    over.sources = dict.fromkeys(["a", "a.b", "d", "d.type", "f"], "n")
    assert lay_over(base, over).data == new


@pytest.mark.parametrize(
    "value", ["a b", "x: y", "#1", "{a}", "ünï", "1e-4", "None", "x#", "007", "yes", "- a", "", "it's", "null"]
)
def test_paths_of_any_letters_come_back_as_they_were(value: str) -> None:
    assert parse_yaml(f"a: {flow(value)}\n", "x.yaml") == {"a": value}
