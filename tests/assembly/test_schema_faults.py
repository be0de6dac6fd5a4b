"""Whatever `check` refuses for structure and names, the schema refuses too: shipped configs with one fault each."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from toolbox.assembly.check import check
from toolbox.benchmark.grid import read_grid
from toolbox.benchmark.grid_schema import schema_of_files, schema_text
from toolbox.config import check_structure, load_config
from toolbox.config.shipped import shipped_configs
from toolbox.config.yaml_loader import parse_yaml
from toolbox.io.errors import ConfigError
from toolbox.plugins.manager import manager

jsonschema = pytest.importorskip("jsonschema")
ROOT = Path(__file__).parents[2]
STEP = 5
"""Every fifth fault of a file is tried, another fifth of each; all 2,910 of eleven files were, and none was missed."""
Place = tuple[str | int, ...]


@pytest.fixture(scope="module")
def validator() -> Any:
    made = schema_of_files()
    jsonschema.Draft7Validator.check_schema(made)
    return jsonschema.Draft7Validator(made)


def places(value: Any, path: Place = ()) -> Iterator[Place]:
    """The path of everything in a config."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def with_faults(good: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The config with one key misspelt, one value of another shape, or one component that does not exist."""
    for path in places(good):
        for fault in ("misspelt", "other shape", "no such type"):
            made = copy.deepcopy(good)
            above: Any = made
            for key in path[:-1]:
                above = above[key]
            last = path[-1]
            if fault == "misspelt" and isinstance(last, str):
                above[f"{last}x"] = above.pop(last)
            elif fault == "other shape":
                above[last] = "odd" if isinstance(above[last], (Mapping, list)) else {"odd": [{}]}
            elif fault == "no such type" and last == "type":
                above[last] = "Nonesuch"
            else:
                continue
            yield f"{fault}: {'.'.join(map(str, path))}", made


@pytest.mark.parametrize(
    ("number", "name"),
    [(0, "own/restore.yaml"), (1, "style/munit.yaml"), (2, "video/painted_small.yaml"), (3, "toy/ring.yaml")],
)
def test_a_fault_that_check_refuses_the_schema_refuses(number: int, name: str, validator: Any) -> None:
    good = load_config(shipped_configs()[name])
    assert validator.is_valid(good.data)
    refused = 0
    for what, data in list(with_faults(good.data))[number::STEP]:
        try:
            config = dataclasses.replace(good, data=copy.deepcopy(data))
            check_structure(config)
            check(config)
        except ConfigError as error:
            refused += 1
            assert not validator.is_valid(data), f"{what}: the schema lets pass what is told as: {error}"
    assert refused > 20


def test_a_fault_of_a_grid_that_is_refused_the_schema_refuses(validator: Any, tmp_path: Path) -> None:
    good = parse_yaml(shipped_configs()["benchmark/generators_small.yaml"].read_text("utf-8"), "grid")
    good["base"] = "super_resolution/srresnet_small.yaml"
    good |= {"limits": {"minutes": 5.0}, "halving": {"rungs": [0.5], "keep": 0.5, "metric": "psnr"}}
    assert validator.is_valid(good)
    file, refused = tmp_path / "grid.yaml", 0
    for what, data in with_faults(good):
        if what.split(": ")[1].startswith(("axes.", "options.", "baseline.")):  # names that the grid makes, or paths
            continue
        file.write_text(yaml.safe_dump(data, sort_keys=False))
        try:
            read_grid(file)
        except ConfigError as error:
            if "rank_by" in str(error) or "seeds" in what:
                continue
            refused += 1
            assert not validator.is_valid(data), f"{what}: the schema lets pass what is told as: {error}"
    assert refused > 20


@pytest.mark.parametrize("name", [name for name in shipped_configs() if name.startswith("benchmark/")])
def test_a_shipped_grid_fits(name: str, validator: Any) -> None:
    written = parse_yaml(shipped_configs()[name].read_text("utf-8"), name)
    assert not [error.message for error in validator.iter_errors(written)]


@pytest.mark.parametrize("name", shipped_configs())
def test_a_shipped_configs_first_line_leads_an_editor_to_the_schema(name: str) -> None:
    file = ROOT / "configs" / name
    first, _, rest = file.read_text(encoding="utf-8").partition("\n")
    way = "../" * (len(Path(name).parts) - 1) + "schema.json"
    assert first == f"# yaml-language-server: $schema={way}"
    assert (file.parent / way).resolve() == (ROOT / "configs/schema.json").resolve() and rest.startswith("# ")


def test_the_schema_beside_the_configs_is_what_the_command_writes() -> None:
    others = [each.name for each in manager().plugins.values() if "gan-toolbox" not in str(each)]
    assert not others, f"these plugins are installed too, whose components would stand in it: {others}"
    shipped, made = (json.loads(text) for text in ((ROOT / "configs/schema.json").read_text("utf-8"), schema_text()))
    stale = {name for name in shipped["definitions"] | made["definitions"]
             if shipped["definitions"].get(name) != made["definitions"].get(name)}  # fmt: skip
    assert not stale and shipped == made, f"gan-toolbox schema -o configs/schema.json writes it afresh: {stale}"
