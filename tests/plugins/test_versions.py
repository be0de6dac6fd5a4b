"""A plugin says which toolbox it was written for, a config which plugin it needs; a misfit is one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from made_up import LOSS_PLUGIN, Install
from toolbox import __version__
from toolbox.cli import run
from toolbox.io.errors import UserError
from toolbox.plugins.manager import PluginError, PluginManager, PluginWarning
from toolbox.plugins.versions import demand, fits, source_of, written_requirement


def test_a_plugin_for_another_toolbox_is_left_out_with_both_versions_and_not_even_imported(install: Install) -> None:
    install("late", "toolbox_requires = '>=9.1'\nfrom toolbox import WhatComesLater\n", version="3.2")
    with pytest.warns(PluginWarning) as caught:
        plugins = PluginManager()
    assert str(caught[0].message) == (
        "plugin 'late' (late 3.2) does not load and is left out: it is written for gan-toolbox >=9.1, and this is "
        f"{__version__}; install a version that fits"
    )
    assert "late_module" not in sys.modules and [plugin.name for plugin in plugins.failures()] == ["late"]


def test_a_plugin_for_this_toolbox_loads(install: Install) -> None:
    install("zero", f"toolbox_requires: str = '>=0.1,<={__version__}'\n{LOSS_PLUGIN}")
    assert PluginManager().plugins["zero"].error is None


def test_a_requirement_that_is_computed_counts_once_the_module_is_there(install: Install) -> None:
    install("late", "toolbox_requires = '>=' + str(9)\n")
    with pytest.warns(PluginWarning, match=r"written for gan-toolbox >=9, and this is"):
        PluginManager()


def test_a_file_for_another_toolbox_is_an_error_because_it_was_asked_for(tmp_path: Path, install: Install) -> None:
    (tmp_path / "late.py").write_text("toolbox_requires = '==0.1'\nraise RuntimeError('imported')\n")
    with pytest.raises(PluginError, match=r"late\.py\) does not load: it is written for gan-toolbox ==0\.1, and"):
        PluginManager([str(tmp_path / "late.py")])


@pytest.mark.parametrize("written", ["'0.2 or so'", "2", "'=>0.2'"])
def test_a_requirement_that_is_no_specifier_is_refused(install: Install, written: str) -> None:
    install("odd", f"toolbox_requires = {written}\n")
    with pytest.warns(PluginWarning, match=r"toolbox_requires = .* is no version specifier; write toolbox_requires ="):
        PluginManager()


def test_a_config_may_need_a_version_of_a_plugin(install: Install) -> None:
    install("labkit", LOSS_PLUGIN, distribution="lab_kit", version="1.4")
    assert PluginManager(needed=["labkit>=1.0,<2"]).plugins["labkit"].error is None
    assert PluginManager(["labkit >= 1.4"]).plugins["labkit"].error is None
    said = r"^plugin 'labkit' is needed as >=1\.5, and lab_kit 1\.4 is installed; pip install 'lab_kit>=1\.5'$"
    for wanted, needed in ((["labkit>=1.5"], []), ([], ["labkit>=1.5"])):
        with pytest.raises(PluginError, match=said):
            PluginManager(wanted, needed=needed)


def test_a_version_of_a_plugin_that_is_not_there_or_has_none_is_refused(install: Install, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"^plugin 'labkit' is needed and not installed"):
        PluginManager(["labkit>=1.0"])
    (tmp_path / "loose.py").write_text(LOSS_PLUGIN)
    with pytest.raises(PluginError, match=r"plugin 'loose' is needed as >=1, and .*loose\.py has no version"):
        PluginManager([str(tmp_path / "loose.py"), "loose>=1"])


def test_a_range_that_is_none_is_refused_with_what_to_write() -> None:
    with pytest.raises(UserError, match=r"^labkit>>1: '>>1' is no version specifier; write labkit>=1\.0$"):
        demand("labkit>>1")
    assert demand("labkit")[0] == "labkit" and demand("labkit~=1.2")[0] == "labkit"


def test_a_config_names_versions_of_plugins_and_nothing_else(
    install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install("labkit", LOSS_PLUGIN, version="1.4")
    for item, said in (("labkit>=2", "plugin 'labkit' is needed as >=2"), ("labkit>=1; rm", "is no plugin's name")):
        file = tmp_path / "run.yaml"
        file.write_text(f"plugins: ['{item}']\nmodel: {{type: SRGAN}}\n")
        assert run("train", [str(file), "--dry-run"]) == 2
        assert said in capsys.readouterr().err


def test_pre_releases_count_and_what_is_no_version_fits_only_where_any_does() -> None:
    assert fits("1.0rc1", demand("x>=0.9")[1]) and not fits("1.0rc1", demand("x>=1.0")[1])
    assert fits("?", demand("x")[1]) and not fits("?", demand("x>=0")[1])


def test_a_requirement_is_read_from_the_source_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "outer_package" / "inner"
    package.mkdir(parents=True)
    (tmp_path / "outer_package" / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "__init__.py").write_text("import nothing_there\ntoolbox_requires = '>=7'\n")
    (package / "broken.py").write_text("toolbox_requires = (")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert source_of("outer_package.inner") == package / "__init__.py"
    assert written_requirement(source_of("outer_package.inner")) == ">=7"
    assert written_requirement(source_of("outer_package.inner.broken")) is None
    assert source_of("outer_package.nowhere") is None and source_of("no_such_package_at_all.x") is None


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "from toolbox.gan_variant import (\n    GanVariant,\n    Logits,\n)\n",
            "ModuleNotFoundError: No module named 'toolbox.gan_variant' (old_module.py:1); plugins import from toolbox "
            "alone: from toolbox import GanVariant, Logits",
        ),
        (
            "from toolbox.plugin_manager import manager_of_old\n",
            "plugins import from toolbox alone; 'manager_of_old' is not public",
        ),
        ("from toolbox.training.algorithm import Algoritm\n", "'Algoritm' is not public; did you mean 'Algorithm'?"),
        ("from toolbox import GanVarient\n", "toolbox has no public 'GanVarient'; did you mean 'GanVariant'?"),
        ("import toolbox.registry\n", "(old_module.py:1); plugins import from toolbox alone"),
    ],
)
def test_a_plugin_for_the_old_module_layout_is_told_what_to_import(install: Install, source: str, said: str) -> None:
    install("old", source)
    with pytest.warns(PluginWarning):
        plugins = PluginManager()
    assert said in str(plugins.plugins["old"].error)


def test_an_import_inside_a_hook_is_told_as_well(install: Install) -> None:
    install("old", "from toolbox import hookimpl\n@hookimpl\ndef register_losses(register):\n"
            "    from toolbox.network import Generator\n")  # fmt: skip
    with pytest.warns(PluginWarning, match=r"old_module\.py:4\); plugins import from toolbox alone: from toolbox im"):
        PluginManager().register_from("register_losses", lambda *_: None)
