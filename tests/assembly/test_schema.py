"""The schema: every shipped config fits it, as written and as loaded, and every fault in names and types does not."""

from __future__ import annotations

import copy
import importlib.util
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from made_up import Install
from runs import command, sr_config
from toolbox.assembly.schema import schema
from toolbox.assembly.schema_components import Components
from toolbox.config import load_config
from toolbox.config.options import apply_options
from toolbox.config.shipped import shipped_configs
from toolbox.config.structure import REFUSED, REQUIRED
from toolbox.config.yaml_loader import parse_yaml

jsonschema = pytest.importorskip("jsonschema")
TESTS = Path(__file__).parents[1]
SHIPPED = {name: path for name, path in shipped_configs().items() if not name.startswith("benchmark/")}  # grids


def loaded(file: str) -> ModuleType:
    """Another test module, whose lists of faults count here too."""
    spec = importlib.util.spec_from_file_location(f"faults_of_{Path(file).stem}", TESTS / file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


STRUCTURE, SIGNATURE, REFUSALS = (
    loaded(file)
    for file in ("config/test_config_structure.py", "config/test_config_signature.py", "cli/test_refusals.py")
)


def cases(module: ModuleType, *names: str) -> Iterator[tuple[Any, ...]]:
    """What tests of a module are parametrised by, but for what JSON cannot tell: 4.0 from 4, and NaN from a number."""
    for name in names:
        for mark in getattr(getattr(module, name), "pytestmark", ()):
            if mark.name == "parametrize":
                every = (each if isinstance(each, tuple) else (each,) for each in mark.args[1])
                yield from (each for each in every if not any(_not_json(value) for value in each[1:]))


def _not_json(value: Any) -> bool:
    return isinstance(value, float) and (not math.isfinite(value) or value.is_integer())


@pytest.fixture(scope="module")
def validator() -> Any:
    made = schema()
    jsonschema.Draft7Validator.check_schema(made)
    return jsonschema.Draft7Validator(made)


def faults(validator: Any, data: Mapping[str, Any]) -> set[str]:
    """Where a config does not fit, and why."""
    return {f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(data)}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_config_fits_as_it_is_written_and_as_it_is_loaded(name: str, validator: Any) -> None:
    written = parse_yaml(SHIPPED[name].read_text(encoding="utf-8"), name)
    assert not faults(validator, written)
    if "_override_" not in written:
        assert not faults(validator, load_config(SHIPPED[name]).data)


@pytest.mark.parametrize(
    ("path", "value"),
    [case[:2] for case in cases(STRUCTURE, "test_an_unknown_key_names_file_path_and_the_nearest_known_one",
                                "test_a_wrong_value_says_what_is_wanted_and_what_is_there",
                                "test_a_type_that_is_an_import_path_is_refused_wherever_it_stands")],
)  # fmt: skip
def test_a_fault_of_structure_is_found(path: str, value: Any, validator: Any) -> None:
    made = apply_options(STRUCTURE.GOOD, {path: value})
    assert faults(validator, made) - faults(validator, STRUCTURE.GOOD)


@pytest.mark.parametrize("key", sorted(REFUSED))
def test_a_key_that_is_refused_is_no_key(key: str, validator: Any) -> None:
    made = apply_options(STRUCTURE.GOOD, {"val_dataloader": {}, "test_dataloader": {}})
    assert faults(validator, apply_options(made, {key: {}})) - faults(validator, made)


@pytest.mark.parametrize("section", sorted(REQUIRED))
def test_a_key_that_is_missing_is_missed_in_a_whole_file_alone(section: str, validator: Any) -> None:
    made = copy.deepcopy(STRUCTURE.GOOD)
    made |= {"val_dataloader": {"dataset": {"type": "X"}}, "test_dataloader": {"dataset": {"type": "X"}}}
    good, place = copy.deepcopy(made), made
    for name in section.split(".") if section else ():
        place = place[name]
    for name in REQUIRED[section]:
        del place[name]
    assert faults(validator, made) - faults(validator, good)
    assert not any("required" in each for each in faults(validator, {"_base_": "x.yaml", **made}))


@pytest.fixture(scope="module")
def arguments() -> Any:
    """A validator of one component, that of the tests of signatures."""
    components = Components()
    components.kind("generators", {"RRDBNet": SIGNATURE.RRDBNet})
    return jsonschema.Draft7Validator({"definitions": components.definitions, "$ref": "#/definitions/generators"})


@pytest.mark.parametrize(
    ("name", "value"),
    [case[:2] for case in cases(SIGNATURE, "test_a_value_of_the_wrong_type_is_refused")],
)
def test_an_argument_of_the_wrong_type_is_found(name: str, value: Any, arguments: Any) -> None:
    assert arguments.is_valid({"type": "RRDBNet", "scale": 4})
    assert not arguments.is_valid({"type": "RRDBNet", "scale": 4, name: value})


@pytest.mark.parametrize(
    "made", [{"type": "RRDBNet"}, {"type": "RRDBNet", "scale": 4, "bloks": 9}, {"type": "x.Y"}, {}]
)
def test_missing_and_unknown_arguments_are_found(made: dict[str, Any], arguments: Any) -> None:
    assert not arguments.is_valid(made)


NAMES_AND_TYPES = (
    "custom_imports", "modle", "model.type", "model.generator.type", "model.generator.bloks", "model.generator.blocks",
    "model.generatr", "model.losses.pixl", "model.losses.pixel.weight", "model.variant.type", "model.adversarial",
    "model.discriminator.pol", "model.ema", "train_dataloader.batch_size",
)  # fmt: skip
COMMAND_LINE = [case[:2] for case in cases(REFUSALS, *[name for name in vars(REFUSALS) if name.startswith("test_")])
                if len(case) == 3 and case[0] in NAMES_AND_TYPES]  # fmt: skip


@pytest.mark.parametrize(("path", "value"), COMMAND_LINE)
def test_what_the_command_line_refuses_for_names_and_types_is_found(
    path: str, value: Any, validator: Any, tmp_path: Path
) -> None:
    good = sr_config(tmp_path)
    assert not faults(validator, good)
    assert faults(validator, REFUSALS.changed(good, path, value))


def test_the_lists_of_faults_are_not_empty() -> None:
    assert len(COMMAND_LINE) >= 13
    assert len(list(cases(STRUCTURE, "test_a_wrong_value_says_what_is_wanted_and_what_is_there"))) > 10


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"generator": {"width": 48}}},
        {"model": {"generator": {"_delete_": True, "type": "SRResNet"}}},
        {"train_dataloader": {"dataset": {"root": "photos"}}},
        {"model": {"losses": {"_delete_": True}}, "_base_": ["a.yaml", "b.yaml"]},
    ],
)
def test_a_file_with_a_base_may_be_partial_on_every_level(change: dict[str, Any], validator: Any) -> None:
    assert not faults(validator, {"_base_": "a.yaml", **change})


@pytest.mark.parametrize(
    "change",
    [
        {"modle": {}},
        {"model": {"type": "SRGAN", "generatr": {}}},
        {"model": {"type": "SRGAN", "generator": {"type": "SRResNet", "bloks": 3}}},
        {"train_dataloader": {"batch_size": "four"}},
        {"train_dataloader": {"dataset": {"type": "ImageFolder", "transforms": [{"size": 4}]}}},
        {"_delete_": True},
        {"model": {"_delete_": False}},
    ],
)
def test_faults_of_a_partial_file_are_found(change: dict[str, Any], validator: Any) -> None:
    assert faults(validator, {"_base_": "a.yaml", **change})


def test_a_third_partys_components_are_in_it(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
from torch import nn
from toolbox import hookimpl

class Odd(nn.Module):
    "Costs what it is told."
    def __init__(self, *, level: int = 3) -> None: ...

@hookimpl
def register_losses(register):
    register("Odd", Odd)
"""
    install("oddity", source)
    monkeypatch.chdir(tmp_path)
    assert command("schema", "-o", "schema.json") == 0
    made = json.loads(Path("schema.json").read_text())
    odd = made["definitions"]["losses.Odd"]
    assert odd["description"] == "Costs what it is told."
    assert odd["properties"]["level"] == {"type": "integer", "default": 3}
    assert {"Odd", "oddity/Odd"} <= set(made["definitions"]["losses"]["properties"]["type"]["enum"])
