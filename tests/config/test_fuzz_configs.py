"""A thousand damaged configs: only the project's own errors, none taking a second."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings

from attacks.configs import PIECES, configs
from attacks.damage import rearranged, scrambled
from fuzzing import assert_one_line, bytewise, fuzz, refused_quickly, structural
from toolbox.assembly.check import check
from toolbox.config import Config, check_structure, load_config
from toolbox.io.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the damaged files lie, one after the other under one name; what is imported once is imported here."""
    folder = tmp_path_factory.mktemp("fuzz")
    for data in configs():
        check(Config(deepcopy(data), folder / "run.yaml"))
    return folder


# ------------------------------------------------------------------ configs, as data


@pytest.mark.parametrize(("which", "through_yaml"), [(0, False), (1, False), (0, True)])
@settings(fuzz, max_examples=200)
@given(changes=structural)
def test_a_config_of_the_wrong_shape_is_refused_in_one_line(
    folder: Path, which: int, through_yaml: bool, changes: list[tuple[str, int, int]]
) -> None:
    data, file = rearranged(configs()[which], changes), folder / "run.yaml"
    with refused_quickly():
        if through_yaml:
            file.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
            config = load_config(file)
        else:
            config = Config(data, file)
        check_structure(config)
        check(config)


# ------------------------------------------------------------------ configs, as text


@pytest.mark.parametrize("which", [0, 1])
@settings(fuzz, max_examples=200)
@given(changes=bytewise)
def test_a_config_file_of_damaged_text_is_refused_in_one_line(
    folder: Path, which: int, changes: list[tuple[str, int, int]]
) -> None:
    text = yaml.safe_dump(configs()[which], sort_keys=False).encode()
    file = folder / "run.yaml"
    file.write_bytes(scrambled(text, changes, PIECES))
    with refused_quickly():
        config = load_config(file)
        check_structure(config)
        check(config)


# ------------------------------------------------------------------ what such tests found, kept


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("model: {type: SRGAN}\n'': 1\n", "line 2: a key is empty text"),
        (f"model: {{type: {'x' * 5000}}}\n", "model.type: 'xxx"),
        (f"model: {{type: SRGAN}}\nplugins: [{'x' * 5000}]\n", "plugins.0: 'xxx"),
    ],
)
def test_names_that_are_empty_or_endless_are_refused_in_one_short_line(folder: Path, text: str, wanted: str) -> None:
    (folder / "run.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        check_structure(load_config(folder / "run.yaml"))
    assert wanted in str(caught.value)
    assert_one_line(caught.value)


def test_a_value_of_the_wrong_kind_is_refused_where_nothing_else_looks_at_it(folder: Path) -> None:
    for value in ("x" * 5000, True):
        data = deepcopy(configs()[0])
        data["model"]["phases"][0]["until"] = value
        with pytest.raises(UserError, match="until: wants an iteration") as caught:
            check(Config(data, folder / "run.yaml"))
        assert_one_line(caught.value)
    data = deepcopy(configs()[0])
    data["visualizer"]["vis_backends"] = 0.5
    with pytest.raises(UserError, match="vis_backends: wants a list"):
        check(Config(data, folder / "run.yaml"))
