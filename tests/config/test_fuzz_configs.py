"""A thousand damaged configs: only the project's own errors, none taking a second."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzing import assert_one_line, bytewise, few, fuzz, refused_quickly, scrambled
from runs import sr_config, style_config
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


@cache
def configs() -> tuple[dict[str, Any], ...]:
    """Valid configs with every section: super-resolution, and style with phases, several losses and nested variants."""
    with tempfile.TemporaryDirectory() as pictures:
        sr, style = sr_config(Path(pictures) / "sr"), style_config(Path(pictures) / "style")
    sr["model"]["variant"] = {"type": "SpectralNorm", "base": {"type": "WGANGP", "weight": 10.0}}
    sr["model"]["adversarial"] = {"discriminator": 0.1}
    sr["model"]["losses"] = {"pixel": [{"type": "L1Loss", "weight": 1e-2}, {"type": "MSELoss"}]}
    sr["model"]["phases"] = [{"name": "warm", "until": 2, "adversaries": []}, {"name": "gan", "losses": ["pixel"]}]
    sr["optim_wrapper"]["generator"]["clip_grad"] = {"type": "norm", "max_norm": 1.0}
    sr |= {"randomness": {"seed": 3}, "env_cfg": {"cudnn_benchmark": True}, "plugins": ["no:cyclegan"]}
    sr |= {"visualizer": {"type": "Visualizer", "vis_backends": [{"type": "LocalVisBackend"}]}, "load_from": None}
    style["model"]["variant"] = {"discriminator_a": {"type": "LSGAN"}, "discriminator_b": {"type": "Vanilla"}}
    style |= {"custom_hooks": [], "test_dataloader": style["val_dataloader"], "test_evaluator": style["val_evaluator"]}
    return sr, style


# ------------------------------------------------------------------ configs, as data

ODD: list[Any] = [
    None, True, False, -1, 0, 1, 3, 10**30, -0.5, 1e-320, 1e308, float("nan"), float("inf"), "", " ", "0", "null",
    "x" * 5000, "é\u202e\ud83d\ude00", "a.b", "a/b", "../x", "{{ fileDirname }}", "{{ x }}", "%s{0}", "[bold]", [], {},
    [[]], [None], [{}], {"type": None}, {"type": []}, {"type": {}}, {"type": "L1Loss"}, {"type": "SRGAN"},
    {"type": "os.system"}, {"type": "Vanilla", "weight": "x"}, {"": 1}, {"a.b": {"type": "L1Loss"}},
    [{"type": "L1Loss"}] * 3, [[["a"]]], {"_delete_": True}, {"_base_": "x.yaml"}, "generator", ["pixel"], "NaN",
    "1e-4", [0.5, 0.9], [1, 2, 3], list(range(300)),
]  # fmt: skip
"""What may stand where something else belongs."""
KEYS = ["type", "", "weight", "pool", "parts", "self", "a.b", "_scope_", "_delete_", "lr", "kwargs", "modle", "0", "é"]

structural = few(
    st.tuples(
        st.sampled_from(["replace", "replace", "delete", "rename", "add", "swap", "wrap", "repeat"]),
        st.integers(0, 10_000),  # where, modulo the number of places
        st.integers(0, 10_000),  # what
    )
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key (or index) below a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from places(item)


def damaged(data: dict[str, Any], changes: list[tuple[str, int, int]]) -> dict[str, Any]:
    """The config with some of its places changed."""
    data = deepcopy(data)
    for change, where, what in changes:
        every = list(places(data))
        if not every:
            break
        place, key = every[where % len(every)]
        other, other_key = every[what % len(every)]
        if change == "replace":
            place[key] = deepcopy(ODD[what % len(ODD)])
        elif change == "delete":
            del place[key]
        elif change == "rename" and isinstance(place, dict):
            value, name = place.pop(key), (f"{key}s", str(key)[1:], *KEYS)[what % (len(KEYS) + 2)]
            place[name] = value
        elif change == "add" and isinstance(place, dict):
            place[KEYS[what % len(KEYS)]] = deepcopy(ODD[where % len(ODD)])
        elif change == "swap":
            value = deepcopy(place[key])
            place[key] = deepcopy(other[other_key])
            other[other_key] = value
        elif change == "wrap":
            place[key] = [place[key]] if what % 2 else {"type": place[key]}
        elif change == "repeat":
            place[key] = [deepcopy(place[key]) for _ in range(what % 4)]
    return data


@pytest.mark.parametrize(("which", "through_yaml"), [(0, False), (1, False), (0, True)])
@settings(fuzz, max_examples=200)
@given(changes=structural)
def test_a_config_of_the_wrong_shape_is_refused_in_one_line(
    folder: Path, which: int, through_yaml: bool, changes: list[tuple[str, int, int]]
) -> None:
    data, file = damaged(configs()[which], changes), folder / "run.yaml"
    with refused_quickly():
        if through_yaml:
            file.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
            config = load_config(file)
        else:
            config = Config(data, file)
        check_structure(config)
        check(config)


# ------------------------------------------------------------------ configs, as text

PIECES = [
    b"\x00", b"\xff\xfe", b"\xc3", b"\t", b"\r", b"\n\n", b"  ", b": ", b"- ", b"&a ", b"*a ", b"<<: *a\n",
    b"!!python/name:os.system ", b"!tag ", b"{", b"}", b"[", b"]", b"'", b'"', b"|", b">", b"?", b"%YAML 9.9\n",
    b"---\n", b"...\n", b"#", b"@", b"`", b"~", b".nan", b"0x", b"1_0", b"010", b"2001-01-01", b"9" * 400, b"1e999",
    b"yes", b"_base_: run.yaml\n", b"_base_: [a, b]\n",
    b"{{ fileDirname }}", b"[" * 60, b"a: &a [*a]\n", b"\xe2\x80\xa8", b"\xef\xbb\xbf",
]  # fmt: skip
"""Bytes that mean something to YAML, to text or to configs."""


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
