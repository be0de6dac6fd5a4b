"""YAML is read as plain data: numbers as meant, doubtful things refused in one line, and no code ever run."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from toolbox.config import yaml_loader
from toolbox.config.yaml_loader import parse_value, parse_yaml
from toolbox.io.errors import ConfigError


@pytest.fixture(params=["libyaml", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with PyYAML's C parser and with the Python one it falls back to."""
    if request.param == "libyaml":
        if not yaml.__with_libyaml__:
            pytest.skip("PyYAML was built without libyaml")
        return

    class PythonLoader(yaml.SafeLoader):
        yaml_implicit_resolvers = yaml_loader.StrictLoader.yaml_implicit_resolvers

    monkeypatch.setattr(yaml_loader, "StrictLoader", PythonLoader)


def refusal(text: str) -> str:
    """Return the one line with which a text is refused."""
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "c.yaml")
    message = str(caught.value)
    assert message.startswith("c.yaml: ")
    assert len(message.splitlines()) == 1 and len(message) < 300
    return message


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-4", 0.0001),
        ("1E3", 1000.0),
        ("1.e-4", 0.0001),
        ("-2.5e+3", -2500.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1_000", 1000),
        ("+7", 7),
        ("0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("0b101", 5),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("2024-01-31", "2024-01-31"),
        ("2024-99-99", "2024-99-99"),
        ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
        ("12:30:45", "12:30:45"),
        ("0x_", "0x_"),
        ("1.2.3", "1.2.3"),
        ("e5", "e5"),
        ("1e", "1e"),
        ("=", "="),
        ("none", "none"),
        ("y", "y"),
        ("'1e-4'", "1e-4"),
        ("'no'", "no"),
        ("!!str 5", "5"),
        ("!!float 5", 5.0),
    ],
)
@pytest.mark.usefixtures("parser")
def test_scalars_are_what_they_look_like(written: str, meant: object) -> None:
    read = parse_yaml(f"a: {written}", "c.yaml")["a"]
    assert read == meant
    assert type(read) is type(meant)


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("no", "write false, or 'no' in quotes"),
        ("On", "write true, or 'On' in quotes"),
        ("None", "write null, or 'None' in quotes"),
        ("010", "write 10 without leading zeros"),
    ],
)
def test_what_yaml_1_1_and_1_2_read_differently_is_refused_with_the_way_out(written: str, hint: str) -> None:
    message = refusal(f"a: 1\nb: {written}")
    assert f"line 2: {written} is ambiguous" in message
    assert hint in message


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    "attack",
    [
        "!!python/object/apply:os.system ['touch {sentinel}']",
        "!!python/object/new:os.system ['touch {sentinel}']",
        "!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{sentinel}']]",
        "!!python/object/apply:subprocess.check_output [[touch, '{sentinel}']]",
        "!!python/name:os.system ''",
        "!!python/module:antigravity ''",
        "!<tag:yaml.org,2002:python/object/apply:os.system> ['touch {sentinel}']",
    ],
)
def test_a_python_tag_is_refused_and_nothing_runs(attack: str, tmp_path: Path) -> None:
    sentinel = tmp_path / "ran"
    message = refusal("model:\n  type: " + attack.format(sentinel=sentinel))
    assert "line 2: tag !!python/" in message
    assert "only plain YAML is read; no code runs" in message
    assert not sentinel.exists()


def test_a_python_tag_behind_an_anchor_or_as_a_key_or_at_the_top_is_refused_too(tmp_path: Path) -> None:
    sentinel = tmp_path / "ran"
    call = f"!!python/object/apply:os.system ['touch {sentinel}']"
    for text in (
        f"a: &x [{call}]\nb: *x",
        f"? {call}\n: 1",
        f"--- {call}",
        f"%TAG ! tag:yaml.org,2002:\n---\n{call[1:]}",
    ):
        refusal(text)
    assert not sentinel.exists()


@pytest.mark.parametrize("tag", ["!Custom", "!!binary", "!!timestamp", "!!set", "!!omap"])
def test_any_other_tag_is_refused(tag: str) -> None:
    assert f"tag {tag} is refused" in refusal(f"a: {tag} {{}}")


@pytest.mark.usefixtures("parser")
def test_a_key_written_twice_is_refused_by_name_and_line() -> None:
    assert "line 4: key 'lr' is written twice" in refusal("a:\n  lr: 1\n  b: 2\n  lr: 3")
    assert "line 1: key 'x' is written twice" in refusal("a: [{x: 1, 'x': 2}]")


@pytest.mark.parametrize("key", ["1", "1.5", "true", "null", "on", "010"])
def test_a_key_that_is_not_text_is_refused_with_the_quoted_form(key: str) -> None:
    assert f"key {key} is not text; write it in quotes: '{key}'" in refusal(f"{key}: 1")
    assert parse_yaml(f"'{key}': 1", "c.yaml") == {key: 1}


def test_a_date_is_a_good_key() -> None:
    assert parse_yaml("2024-01-31: 1", "c.yaml") == {"2024-01-31": 1}


def test_very_long_names_are_refused_and_shortened_in_the_message() -> None:
    long = "k" * 900
    assert "is longer than 200 characters" in refusal(f"{long}: 1")
    assert "alias *kkk" in refusal(f"a: *{long}")
    assert "anchor &kkk" in refusal(f"a: &{long} 1\nb: &{long} 2")
    assert "tag !kkk" in refusal(f"a: !{long} 1")
    assert parse_yaml(f"{long[:200]}: 1", "c.yaml")


def test_a_key_with_a_line_break_is_refused_so_that_messages_stay_one_line() -> None:
    assert r"key 'a\nb' holds a line break, a control" in refusal('"a\\nb": 1')


@pytest.mark.parametrize(
    "text", ["work_dir: {{ fileDirname }}/runs", "work_dir: {{ fileDirname }}", "a: [{{ fileDirname }}]"]
)
def test_an_unquoted_template_is_refused_and_told_to_be_quoted(text: str) -> None:
    assert "quote a template: '{{ fileDirname }}" in refusal(text)


def test_merge_keys_merge_and_the_written_key_wins() -> None:
    text = "a: &a {p: 1, q: 2}\nb: {<<: *a, q: 3}\nc: {<<: [{p: 5}, *a], r: 7}\nd: {'<<': 1}"
    data = parse_yaml(text, "c.yaml")
    assert data["b"] == {"p": 1, "q": 3}
    assert data["c"] == {"p": 5, "q": 2, "r": 7}
    assert data["d"] == {"<<": 1}
    assert "'<<' wants a mapping" in refusal("a: {<<: 3}")


def test_aliases_become_copies() -> None:
    data = parse_yaml("a: &x {p: [1]}\nb: *x", "c.yaml")
    data["a"]["p"].append(2)
    assert data["b"] == {"p": [1]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("# only a comment", "is empty"),
        ("- 1", "holds a list"),
        ("word", "holds a single value"),
        ("a: 1\n---\nb: 2", "another document"),
        ("a: *b", "alias *b"),
        ("a: &a [*a]", "alias *a"),
        ("a: &x 1\nb: &x 2", "anchor &x is set twice"),
        ("a:\n\tb: 1", "indent with spaces, not tabs"),
        ("a: %HOME%/x", "that cannot start any token; a value that begins so is put in 'quotes'"),
        ("a: - x", "; a value that begins so is put in 'quotes'"),
        ("a:\n\u00a0 b: 1", "key '\\xa0 b' holds a line break, a control character or a space that is no plain one"),
        ("a:\n  b: 1\n \u00a0c: 2", "; it holds a space that is no plain one (U+00A0)"),
        ("a: [1, 2", "line 1: is not readable as YAML"),
        ("a: 'open", "is not readable as YAML"),
        ("a: 1e999", "1e999 is not readable as float"),
        ("a: !!int x", "x is not readable as int"),
        ("a: !!bool maybe", "maybe is not readable as bool"),
        ("a: " + "9" * 5000, "is not readable as int"),
        ("a: \x00", "not readable as YAML"),
        ("a: \ud800", "not readable as YAML"),
        ('a: "\\U00110000"', "not readable as YAML"),
    ],
)
@pytest.mark.usefixtures("parser")
def test_odd_documents_are_refused_in_one_line(text: str, message: str) -> None:
    assert message in refusal(text)


@pytest.mark.parametrize(
    "path",
    [r"photos\train", r"\\nas\new", r"C:\new", r"..\Photos", r"D:\_old"],
    ids=["tab", "share", "drive", "folder", "space"],
)
@pytest.mark.usefixtures("parser")
def test_a_windows_path_that_double_quotes_change_in_silence_is_refused_with_the_way_out(path: str) -> None:
    told = "line 1: a backslash in double quotes is an escape; write a path as C:/Users/me/photos, or in single quotes"
    assert told in refusal(f'root: "{path}"')
    assert parse_yaml(f"root: '{path}'", "c.yaml") == {"root": path}


def test_a_single_value_is_read_by_the_same_rules() -> None:
    assert parse_value("[1e-4, {a: null}]", "f") == [0.0001, {"a": None}]
    with pytest.raises(ConfigError, match=r"^f: a\.b: line 1: tag !x is refused"):
        parse_value("!x 1", "f", "a.b")


def test_importing_the_config_package_imports_no_torch_mmengine_or_numpy() -> None:
    code = (
        "import sys, toolbox.config; "
        "print([m for m in ('torch', 'mmengine', 'mmcv', 'numpy', 'pluggy', 'rich') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
