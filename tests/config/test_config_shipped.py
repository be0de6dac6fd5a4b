"""A config named without a file is looked up among the shipped ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from toolbox.config import find_config, load_config
from toolbox.io import installation
from toolbox.io.errors import ConfigError


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def refusal(path: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_name_without_a_file_finds_the_shipped_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "site/toolbox"
    write(
        tmp_path, {"site/toolbox/__init__.py": "", "site/configs/sr/esrgan.yaml": "a: 1", "site/configs/x.yml": "a: 2"}
    )
    monkeypatch.setattr(installation, "PACKAGE", package)
    esrgan = (tmp_path / "site/configs/sr/esrgan.yaml").resolve()
    for name in ("sr/esrgan.yaml", "sr/esrgan", "configs/sr/esrgan.yaml", "./sr/esrgan"):
        assert find_config(name) == esrgan
    assert find_config("x") == (tmp_path / "site/configs/x.yml").resolve()
    assert load_config("sr/esrgan").data == {"a": 1}

    write(tmp_path, {"configs/sr/esrgan.yaml": "mine: 1"})
    assert load_config("configs/sr/esrgan.yaml").data == {"mine": 1}

    write(tmp_path, {"site/toolbox/configs/sr/esrgan.yaml": "wheel: 1"})
    assert load_config("sr/esrgan").data == {"wheel": 1}


def test_a_name_that_is_nowhere_lists_close_matches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path,
        {"site/configs/sr/esrgan.yaml": "", "site/configs/style/cyclegan.yaml": "", "notes.txt": "", "bare": ""},
    )
    monkeypatch.setattr(installation, "PACKAGE", tmp_path / "site/toolbox")
    assert refusal("sr/ersgan.yaml") == "sr/ersgan.yaml: there is no such config; did you mean 'sr/esrgan.yaml'?"
    assert "did you mean 'style/cyclegan.yaml'?" in refusal("cyclegn")
    assert "did you mean 'sr/esrgan.yaml'?" in refusal("sr")
    assert "shipped: sr, style" in refusal("qqqqqqq")
    assert "is a folder" in refusal("site")
    assert "a .py config would run code" in refusal("configs/x.py")
    assert "only .yaml and .yml" in refusal("notes.txt")
    assert "rename it" in refusal("bare")
    assert "there is no such config" in refusal("a\0b")
    assert "there is no such config" in refusal("../../../../etc/nothing")
