"""`--cfg-options`: values read as YAML, paths into mappings and lists, the rules of the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolbox.config import apply_options, load_config, parse_option
from toolbox.io.errors import ConfigError


def refusal(option: str, data: dict[str, object] | None = None) -> str:
    """Return the line with which an option is refused, while read or while applied."""
    with pytest.raises(ConfigError) as caught:
        path, value = parse_option(option)
        apply_options(data or {}, {path: value})
    message = str(caught.value)
    assert message.startswith("--cfg-options: ") and len(message.splitlines()) == 1
    return message


def test_a_fault_that_an_option_causes_in_what_a_file_wrote_names_both(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "model: {type: SRGAN, generator: {type: A, scale: 2}}\ntrain_cfg: {max_iters: 3}\n"
    )
    (tmp_path / "run.yaml").write_text("_base_: base.yaml\n")
    config = load_config(tmp_path / "run.yaml", {"model.type": "CycleGAN", "model.generator.scale": 3})
    told = f"{config.source('model.generator.type')} with --cfg-options model.type model.generator.scale"
    assert config.blamed("model.generator") == told and config.source("model.generator.type").endswith("base.yaml")
    assert config.blamed("model.generator.scale") == "--cfg-options"
    assert config.blamed("train_cfg.max_iters") == config.source("train_cfg.max_iters")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 0.0001),
        ("5", 5),
        ("null", None),
        ("true", True),
        ("[1, 2e1]", [1, 20.0]),
        ("{a: 1, b: [x]}", {"a": 1, "b": ["x"]}),
        ("word", "word"),
        ("two words", "two words"),
        ("'5'", "5"),
        ("''", ""),
        ("a=b", "a=b"),
        ("runs/x:1", "runs/x:1"),
        ("2024-01-31", "2024-01-31"),
        ("-1", -1),
    ],
)
def test_an_option_s_value_is_read_as_yaml(text: str, value: object) -> None:
    path, read = parse_option(f"a.b.0.c={text}")
    assert path == "a.b.0.c"
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("a.b", "'a.b' has no '='; write path.to.key=value"),
        ("=1", "is no path"),
        ("a..b=1", "'a..b' is no path"),
        ("a. b=1", "is no path"),
        ("a.b=", "a.b: has no value; write null"),
        ("a.b=[1", "a.b: line 1"),
        ("a.b=no", "a.b: line 1: no is ambiguous: write false"),
        ("a.b=None", "write null"),
        ("a.b=x: y", "quote text that holds ': '"),
        ("a.b=- 1", "quote text"),
        ("a.b={x: 1, x: 2}", "key 'x' is written twice"),
        ("a.b=*x", "alias *x"),
        ("_base_=x.yaml", "_base_: stands only at the top of a file"),
        ("a._scope_=mmengine", "a._scope_: '_scope_' is reserved"),
        ("a={b: {_scope_: mmengine}}", "a.b._scope_: '_scope_' is reserved"),
        ("a._delete_=true", "as the value of the mapping"),
        (".".join("a" * 51) + "=1", "more than 50 levels deep"),
    ],
)
def test_an_option_that_cannot_be_read_says_why(option: str, message: str) -> None:
    assert message in refusal(option)


def test_an_option_runs_no_code(tmp_path: Path) -> None:
    sentinel = tmp_path / "ran"
    message = refusal(f"a.b=!!python/object/apply:os.system ['touch {sentinel}']")
    assert "a.b: line 1: tag !!python/object/apply:os.system is refused" in message
    assert not sentinel.exists()


def test_options_reach_into_mappings_and_lists_and_make_missing_keys() -> None:
    data = {"a": {"b": [{"c": 1, "d": 2}, 5]}, "empty": None}
    options = {"a.b.0.c": 9, "a.b.1": [6], "new.deep.key": 1e-4, "empty.x": True}
    assert apply_options(data, options) == {
        "a": {"b": [{"c": 9, "d": 2}, [6]]},
        "empty": {"x": True},
        "new": {"deep": {"key": 1e-4}},
    }
    assert data == {"a": {"b": [{"c": 1, "d": 2}, 5]}, "empty": None}


def test_options_apply_in_order() -> None:
    assert apply_options({}, {"a": {"b": 1}, "a.b": 2, "a.c": [0], "a.c.0": 7}) == {"a": {"b": 2, "c": [7]}}


def test_a_mapping_merges_and_delete_replaces() -> None:
    data = {"g": {"type": "A", "blocks": 9}, "l": [{"type": "A", "p": 1}]}
    assert apply_options(data, {"g": {"blocks": 3}})["g"] == {"type": "A", "blocks": 3}
    assert apply_options(data, {"g": {"_delete_": True, "type": "B"}})["g"] == {"type": "B"}
    assert apply_options(data, {"l.0": {"p": 2}})["l"] == [{"type": "A", "p": 2}]
    assert apply_options(data, {"l.0": {"_delete_": True, "type": "B"}})["l"] == [{"type": "B"}]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("l.2.x=1", "l.2.x: l has no item 2; it has 2, counted from 0"),
        ("l.-1=1", "l.-1: l is a list of 2; pick an item by its number, not '-1'"),
        ("l.x=1", "not 'x'"),
        ("l.99999999999999999999=1", "l has no item 99999999999999999999"),
        ("s.x=1", "s.x: s is 'text' and holds no 'x'"),
        ("d.0=1", "d is a mapping, not a list, and has no item 0"),
        ("d.new.0.x=1", "d.new is not there, so it has no item 0"),
        ("n.0=1", "n is empty, not a list"),
    ],
)
def test_a_path_that_leads_nowhere_says_where_it_stops(option: str, message: str) -> None:
    assert message in refusal(option, {"l": [{"x": 1}, 2], "s": "text", "d": {"k": 1}, "n": None})


def test_what_an_option_wrote_is_known_to_come_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("m: {type: A, g: {p: 1, q: 2}, l: [{w: 1}]}")
    options = {"m.g.p": 3, "m.new.x": 1, "m.l.0.w": 2, "m.g": {"r": 4}}
    config = load_config(file, options)
    assert config.data == {"m": {"type": "A", "g": {"p": 3, "q": 2, "r": 4}, "l": [{"w": 2}], "new": {"x": 1}}}
    mine = [key for key in ("m.g.p", "m.g.r", "m.new", "m.new.x", "m.l.0.w") if config.source(key) == "--cfg-options"]
    assert mine == ["m.g.p", "m.g.r", "m.new", "m.new.x", "m.l.0.w"]
    for key in ("m", "m.type", "m.g.q", "m.l", "m.l.0", "m.l.0.z"):
        assert config.source(key) == str(file)
    replaced = load_config(file, {"m.g": {"_delete_": True, "type": "B"}})
    assert replaced.source("m.g.q") == replaced.source("m.g.type") == "--cfg-options"


def test_a_template_in_an_option_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("a: 1")
    with pytest.raises(ConfigError, match=r"^--cfg-options: b\.0: .* an option has no folder; write the path out"):
        load_config(file, dict([parse_option("b=['{{ fileDirname }}']")]))
