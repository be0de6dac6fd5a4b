"""Bases, templates and shipped configs: who wins, who wrote what, and what may not be read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from toolbox.config import Config, load_config
from toolbox.io.errors import ConfigError


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder `configs`, with the current folder above it."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "configs"
    folder.mkdir()
    return folder


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def refusal(path: str | Path, options: Mapping[str, object] | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(path, options)
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


def test_a_child_wins_over_its_base_and_lists_replace(configs: Path) -> None:
    write(
        configs,
        {
            "base.yaml": "model: {type: A, blocks: 9, sizes: [1, 2, 3]}\nresume: false",
            "sr/child.yaml": "_base_: ../base.yaml\nmodel: {blocks: 6, sizes: [4], new: {x: 1}}",
        },
    )
    config = load_config("configs/sr/child.yaml")
    assert config.data == {"model": {"type": "A", "blocks": 6, "sizes": [4], "new": {"x": 1}}, "resume": False}
    assert config.file == configs / "sr/child.yaml"


def test_every_value_knows_the_file_that_wrote_it(configs: Path) -> None:
    write(
        configs,
        {
            "base.yaml": "model: {type: A, generator: {type: G, blocks: 9}}",
            "child.yaml": "_base_: base.yaml\nmodel: {generator: {blocks: 6, list: [{a: 1}]}, extra: {deep: {er: 1}}}",
        },
    )
    source = load_config("configs/child.yaml", {"model.generator.width": 3}).source
    assert source("model.type") == "configs/base.yaml"
    assert source("model.generator.type") == "configs/base.yaml"
    assert source("model.generator.blocks") == "configs/child.yaml"
    assert source("model.generator.list.0.a") == "configs/child.yaml"
    assert source("model.extra.deep.er") == "configs/child.yaml"
    assert source("model.generator.width") == "--cfg-options"
    assert source("model.generator") == "configs/base.yaml"
    assert source("nothing.known") == "configs/child.yaml"


def test_delete_replaces_instead_of_merging(configs: Path) -> None:
    write(
        configs,
        {
            "base.yaml": "model: {generator: {type: A, blocks: 9, inner: {p: 1}}}",
            "child.yaml": "_base_: base.yaml\n"
            "model: {generator: {_delete_: true, type: B, inner: {_delete_: true, q: 2}}}",
        },
    )
    config = load_config("configs/child.yaml")
    assert config.data == {"model": {"generator": {"type": "B", "inner": {"q": 2}}}}
    assert "model.generator.blocks" not in config.sources
    assert config.source("model.generator") == "configs/child.yaml"


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("model: {_delete_: false}", "model._delete_", "wants true, got false"),
        ("_delete_: true", "_delete_", "delete every base"),
        ("a: [{_delete_: true}]", "a.0._delete_", "a list replaces"),
        ("a: {_base_: x.yaml}", "a._base_", "only at the top"),
        ("a: [{_scope_: mmengine}]", "a.0._scope_", "'_scope_' is reserved"),
    ],
)
def test_marks_out_of_place_and_reserved_keys_are_refused(configs: Path, text: str, key: str, message: str) -> None:
    write(configs, {"c.yaml": text})
    error = refusal("configs/c.yaml")
    assert (error.file, error.key) == ("configs/c.yaml", key)
    assert message in str(error)


def test_bases_merge_in_order_and_equal_values_may_meet(configs: Path) -> None:
    write(
        configs,
        {
            "a.yaml": "model: {type: A, p: 1}\nresume: true",
            "b.yaml": "model: {q: 2}\nresume: true",
            "child.yaml": "_base_: [a.yaml, b.yaml]",
        },
    )
    assert load_config("configs/child.yaml").data == {"model": {"type": "A", "p": 1, "q": 2}, "resume": True}


@pytest.mark.parametrize("other", ["{lr: 2}", "{lr: 1.0}", "{lr: true}", "{lr: {x: 1}}", "1"])
def test_two_bases_that_differ_in_a_value_are_refused_naming_both(configs: Path, other: str) -> None:
    write(configs, {"a.yaml": "o: {lr: 1}", "b.yaml": f"o: {other}", "c.yaml": "_base_: [a.yaml, b.yaml]\nz: 1"})
    error = refusal("configs/c.yaml")
    assert error.file == "configs/c.yaml" and error.key in ("o.lr", "o")
    assert "bases configs/a.yaml and configs/b.yaml differ in it; drop one, or set it here" in str(error)


@pytest.mark.parametrize("child", ["o: {lr: 3}", "o: {_delete_: true}", "o: null"])
def test_the_file_itself_may_decide_between_its_bases(configs: Path, child: str) -> None:
    write(configs, {"a.yaml": "o: {lr: 1}", "b.yaml": "o: {lr: 2}", "c.yaml": f"_base_: [a.yaml, b.yaml]\n{child}"})
    assert load_config("configs/c.yaml").data in ({"o": {"lr": 3}}, {"o": {}}, {"o": None})


def test_two_bases_may_share_a_base(configs: Path) -> None:
    write(
        configs,
        {
            "root.yaml": "a: {x: 1}",
            "l.yaml": "_base_: root.yaml\nb: 1",
            "r.yaml": "_base_: root.yaml\nc: 1",
            "c.yaml": "_base_: [l.yaml, r.yaml]",
        },
    )
    config = load_config("configs/c.yaml")
    assert config.data == {"a": {"x": 1}, "b": 1, "c": 1}
    assert config.source("a.x") == "configs/root.yaml"


def test_many_bases_that_share_bases_are_each_read_once(configs: Path) -> None:
    write(configs, {f"{i}.yaml": f"_base_: [{i + 1}.yaml, {i + 1}.yaml]\nk{i}: 1" for i in range(18)})
    write(configs, {"18.yaml": "end: 1"})
    assert len(load_config("configs/0.yaml").data) == 19  # 2^18 reads otherwise


def test_a_circle_of_bases_is_refused_and_shown(configs: Path) -> None:
    write(configs, {"a.yaml": "_base_: b.yaml", "b.yaml": "_base_: a.yaml"})
    assert "configs/a.yaml -> configs/b.yaml -> configs/a.yaml" in str(refusal("configs/a.yaml"))
    write(configs, {"self.yaml": "_base_: ./self.yaml"})
    assert "configs/self.yaml -> configs/self.yaml" in str(refusal("configs/self.yaml"))


def test_an_endless_row_of_bases_is_refused(configs: Path) -> None:
    write(configs, {f"{i}.yaml": f"_base_: {i + 1}.yaml" for i in range(60)})
    assert "more than 20 files" in str(refusal("configs/0.yaml"))


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("../outside.yaml", "leaves the folder configs"),
        ("sub/../../outside.yaml", "leaves the folder configs"),
        ("link.yaml", "leaves the folder configs"),
        ("linked/outside.yaml", "leaves the folder configs"),
        ("/etc/hostname.yaml", "must be relative"),
        ("'C:\\x.yaml'", "must be relative"),
        ("'{{ fileDirname }}/x.yaml'", "must be relative"),
        ("code.py", "only .yaml and .yml files are read"),
        ("disguise.yaml", "only .yaml and .yml files are read"),
        ("nothing.yaml", "there is no file 'nothing.yaml' (looked for configs/nothing.yaml)"),
        ("own/enlarge.yaml", "; the toolbox's own is toolbox:own/enlarge.yaml"),
        ("sub", "only .yaml and .yml"),
        ("folder.yaml", "there is no file"),
        ("sub\\base.yaml", "write / between folders, which every system reads"),
        ("circle.yaml", "circle.yaml"),
        ("'a\0b.yaml'", ""),
        ('"a\\0b.yaml"', "a backslash in double quotes"),
        ("'" + "x" * 5000 + ".yaml'", ""),
        ("''", "wants a path"),
        *((item, f"wants a path or a list of paths, got {item.strip('[]')}") for item in ("null", "[3]")),
        ("{a: 1}", "wants a path"),
    ],
)
def test_a_base_outside_the_configs_or_of_another_kind_is_refused(configs: Path, base: str, message: str) -> None:
    sentinel = configs.parent / "ran"
    write(
        configs,
        {
            "../outside.yaml": "a: 1",
            "sub/in.yaml": "a: 1",
            "folder.yaml/x": "",
            "code.py": f"open({str(sentinel)!r}, 'w')",
            "c.yaml": f"_base_: {base}",
        },
    )
    (configs / "link.yaml").symlink_to(configs.parent / "outside.yaml")
    (configs / "linked").symlink_to(configs.parent)
    (configs / "disguise.yaml").symlink_to(configs / "code.py")
    (configs / "circle.yaml").symlink_to(configs / "circle.yaml")
    error = refusal("configs/c.yaml")
    assert error.file == "configs/c.yaml"
    assert message in str(error)
    assert not sentinel.exists()


def test_a_fault_is_looked_for_first_in_the_file_that_somebody_runs(configs: Path) -> None:
    base = "model: {degradation: {scale: 4}, generator: {scale: 4}}\ndata: {root: there, batch: 8}\nother: {x: {y: 1}}"
    write(
        configs, {"base.yaml": base, "c.yaml": "_base_: base.yaml\nmodel: {generator: {scale: 2}}\ndata: {root: here}"}
    )
    config = load_config("configs/c.yaml")
    assert config.blamed("model.generator.scale") == "configs/c.yaml", "it wrote it"
    assert config.blamed("data") == config.blamed("model.generator") == "configs/c.yaml", "it wrote within it"
    assert config.blamed("model.degradation.scale") == "configs/c.yaml on configs/base.yaml", "it wrote beside it"
    assert config.blamed("other.x") == "configs/base.yaml", "it has nothing to do with it"
    assert config.source("data") == "configs/base.yaml"


def test_without_a_folder_called_configs_the_file_s_own_folder_is_the_limit(tmp_path: Path) -> None:
    write(tmp_path, {"up.yaml": "a: 1", "mine/c.yaml": "_base_: ../up.yaml", "mine/d.yaml": "_base_: e/x.yaml"})
    write(tmp_path, {"mine/e/x.yaml": "b: 1"})
    assert "leaves the folder" in str(refusal(tmp_path / "mine/c.yaml"))
    assert load_config(tmp_path / "mine/d.yaml").data == {"b": 1}


def test_a_link_to_a_config_keeps_to_the_limit_of_the_real_file(configs: Path) -> None:
    write(configs, {"base.yaml": "a: 1", "sr/c.yaml": "_base_: ../base.yaml"})
    (configs.parent / "short.yaml").symlink_to(configs / "sr/c.yaml")
    assert load_config("short.yaml").data == {"a": 1}


def test_file_dirname_is_the_folder_of_the_file_that_wrote_it(configs: Path) -> None:
    write(
        configs,
        {
            "data/base.yaml": "root: '{{ fileDirname }}/images'\nlist: ['{{fileDirname}}', 3]",
            "c.yaml": '_base_: data/base.yaml\nwork_dir: "{{ fileDirname }}/../runs"\nplain: a/{{ fileDirname }}',
        },
    )
    assert load_config("configs/c.yaml").data == {
        "root": f"{configs.as_posix()}/data/images",
        "list": [f"{configs.as_posix()}/data", 3],
        "work_dir": f"{configs.as_posix()}/../runs",
        "plain": f"a/{configs.as_posix()}",
    }


@pytest.mark.parametrize("template", ["{{ _base_.lr }}", "{{$HOME:x}}", "{{ fileBasename }}", "{{", "{{ fileDirname }"])
def test_any_other_template_is_refused(configs: Path, template: str) -> None:
    write(configs, {"c.yaml": f"a: {{b: ['x {template}']}}"})
    error = refusal("configs/c.yaml")
    assert (error.file, error.key) == ("configs/c.yaml", "a.b.0")
    assert template in str(error) and "the only template is '{{ fileDirname }}'" in str(error)


def test_an_unquoted_template_names_file_line_and_the_quotes(configs: Path) -> None:
    write(configs, {"c.yaml": "a: 1\nb: {{ fileDirname }}/x"})
    message = str(refusal("configs/c.yaml"))
    assert message.startswith("configs/c.yaml: line 2: ") and "quote a template" in message


def test_a_mistake_in_a_base_names_the_base(configs: Path) -> None:
    write(configs, {"base.yaml": "a: 1\na: 2", "c.yaml": "_base_: base.yaml"})
    assert str(refusal("configs/c.yaml")).startswith("configs/base.yaml: line 2: key 'a' is written twice")


def test_code_in_a_base_does_not_run(configs: Path) -> None:
    sentinel = configs.parent / "ran"
    write(
        configs,
        {"base.yaml": f"a: !!python/object/apply:os.system ['touch {sentinel}']", "c.yaml": "_base_: base.yaml"},
    )
    assert "no code runs" in str(refusal("configs/c.yaml"))
    assert not sentinel.exists()


def test_files_that_are_no_utf_8_text_or_too_long_are_refused(configs: Path) -> None:
    (configs / "c.yaml").write_bytes(b"a: 1\nb: \xff\xfe")
    assert str(refusal("configs/c.yaml")) == "configs/c.yaml: line 2: is not UTF-8 text; save it as UTF-8"
    (configs / "c.yaml").write_bytes("a: 1\n".encode("utf-16-le"))
    assert "but UTF-16 or no text at all; save it as UTF-8" in str(refusal("configs/c.yaml"))
    (configs / "c.yaml").write_bytes(b"a: '" + "ä".encode() * 600_000)
    assert "more than 1,000,000 bytes" in str(refusal("configs/c.yaml"))
    (configs / "c.yaml").write_bytes(b"\xef\xbb\xbfa: 1")
    assert load_config("configs/c.yaml").data == {"a": 1}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_not_waited_for(configs: Path) -> None:
    os.mkfifo(configs / "pipe.yaml")
    write(configs, {"c.yaml": "_base_: pipe.yaml"})
    assert "there is no file 'pipe.yaml'" in str(refusal("configs/c.yaml"))
    assert "there is no such config" in str(refusal("configs/pipe.yaml"))


def test_a_config_made_by_hand_names_its_file() -> None:
    assert Config({"a": 1}, Path("x.yaml")).source("a.b") == "x.yaml"
