"""Plugins are found, loaded one by one, and explained; what is broken is named and stops nobody else."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from made_up import LOSS_PLUGIN, Install
from toolbox.cli import run
from toolbox.io.errors import ConfigError
from toolbox.plugins.manager import BUILT_IN, PluginError, PluginManager, PluginWarning

shown = pytest.mark.filterwarnings("default::toolbox.plugins.manager.PluginWarning")


def test_built_in_plugins_are_found_as_third_party_ones_are(install: Install) -> None:
    install("zero", LOSS_PLUGIN, version="0.3")
    plugins = PluginManager().plugins
    assert plugins["srgan"].distribution == BUILT_IN
    assert str(plugins["zero"]) == "zero 0.3" and plugins["zero"].hooks == ["register_losses"]
    assert [name for name, each in plugins.items() if not each.blocked][-1] == "zero", "built-ins come first"


@shown
@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "import no_such_module_at_all",
            "ModuleNotFoundError: No module named 'no_such_module_at_all' (bad_module.py:1)",
        ),
        ("def f(:", "SyntaxError: invalid syntax (bad_module.py, line 1)"),
        ("raise SystemExit('no licence')", "SystemExit: no licence (bad_module.py:1)"),
        (
            LOSS_PLUGIN.replace("_losses", "_loses"),
            "there is no hook 'register_loses'; did you mean 'register_losses'?",
        ),
        (LOSS_PLUGIN.replace("@hookimpl", ""), "register_losses is not marked as a hook; write @hookimpl above it"),
        (LOSS_PLUGIN.replace("(register)", "(registry)"), "Argument(s) {'registry'} are declared in the hookimpl"),
    ],
    ids=["import", "syntax", "exit", "misspelt hook", "unmarked hook", "unknown argument"],
)
def test_a_broken_plugin_does_not_stop_the_others_and_is_listed_with_its_error(
    install: Install, capsys: pytest.CaptureFixture[str], source: str, said: str
) -> None:
    install("bad", source)
    install("zero", LOSS_PLUGIN)
    with pytest.warns(PluginWarning, match=r"plugin 'bad' \(bad 1\.0\) does not load and is left out"):
        plugins = PluginManager()
    assert said in str(plugins.plugins["bad"].error) and [plugin.name for plugin in plugins.failures()] == ["bad"]
    assert not plugins.plugins["zero"].error and not plugins.plugins["srgan"].error
    assert "zero" in plugins.versions() and "bad" not in plugins.versions()
    assert run("plugins", ["list"]) == 0
    printed = capsys.readouterr()
    assert "does not load" in printed.out and "zero 1.0" in printed.out
    assert printed.err.startswith("warning: plugin 'bad' (bad 1.0) does not load") and said in printed.err


@shown
def test_an_error_that_looks_like_markup_is_printed_as_it_is(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("bad", "raise RuntimeError('[/] [red]')")
    assert run("plugins", ["list"]) == 0
    assert "[/] [red]" in capsys.readouterr().out


def test_half_an_uninstalled_package_does_not_stop_the_others(install: Install, tmp_path: Path) -> None:
    install("gone", LOSS_PLUGIN)
    (tmp_path / "gone" / "gone-1.0.dist-info" / "METADATA").unlink()
    (tmp_path / "gone" / "gone_module.py").unlink()
    with pytest.warns(PluginWarning, match="No module named 'gone_module'"):
        assert PluginManager().plugins["srgan"].error is None


def test_a_broken_plugin_raises_when_strict(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("bad", "import no_such_module_at_all")
    monkeypatch.setenv("TOOLBOX_STRICT", "1")
    with pytest.raises(PluginError, match=r"plugin 'bad' \(bad 1\.0\) does not load: ModuleNotFoundError"):
        PluginManager()


def test_a_broken_built_in_always_raises(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "toolbox_plugins.srgan", None)  # what Python does for a module that fails
    with pytest.raises(PluginError, match=r"plugin 'srgan' \(gan-toolbox .*\) does not load: ModuleNotFoundError"):
        PluginManager()


def test_a_plugin_asked_for_by_name_must_work(install: Install) -> None:
    install("bad", "import no_such_module_at_all")
    for wanted, needed in ((["bad"], []), ([], ["bad"])):
        with pytest.warns(PluginWarning), pytest.raises(PluginError, match=r"'bad' .* is needed and does not load"):
            PluginManager(wanted, needed=needed)


def test_two_packages_with_one_plugin_name_clash_loudly(install: Install) -> None:
    install("zero", LOSS_PLUGIN, distribution="first")
    install("zero", LOSS_PLUGIN, distribution="second")
    with pytest.raises(PluginError) as caught:
        PluginManager()
    assert str(caught.value) == (
        "two packages call a plugin 'zero': first 1.0 and second 1.0; uninstall one, or block both with -p no:zero"
    )
    assert PluginManager(["no:zero"]).plugins["zero"].blocked


def test_a_third_party_cannot_take_a_built_in_plugins_name(install: Install) -> None:
    install("srgan", LOSS_PLUGIN, distribution="impostor")
    with pytest.raises(PluginError, match=r"'srgan': gan-toolbox .* and impostor 1\.0"):
        PluginManager()


def test_a_blocked_plugin_is_not_even_imported(install: Install) -> None:
    install("bad", "raise RuntimeError('imported')")
    plugins = PluginManager(["no:bad"])
    assert plugins.plugins["bad"].blocked and "bad" not in plugins.versions() and not plugins.failures()
    assert "bad_module" not in sys.modules


def test_blocking_a_plugin_that_does_not_exist_names_the_one_that_was_meant(install: Install) -> None:
    install("my_gan", LOSS_PLUGIN)
    with pytest.raises(PluginError, match=r"^-p no:my_gam: there is no plugin 'my_gam'; did you mean 'my_gan'\?$"):
        PluginManager(["no:my_gam"])


def test_a_single_file_is_a_plugin(install: Install, tmp_path: Path) -> None:
    file = tmp_path / "my_losses.py"
    file.write_text(LOSS_PLUGIN)
    plugins = PluginManager([str(file), str(file)])
    assert plugins.plugins["my_losses"].hooks == ["register_losses"], "named twice, loaded once"
    assert plugins.versions()["my_losses"] == str(file)


def test_a_file_that_is_missing_or_broken_is_an_error_because_it_was_asked_for(
    install: Install, tmp_path: Path
) -> None:
    with pytest.raises(PluginError, match=r"^-p nowhere\.py: there is no such file$"):
        PluginManager(["nowhere.py"])
    (tmp_path / "broken.py").write_text("1 / 0")
    with pytest.raises(PluginError, match=r"does not load: ZeroDivisionError: division by zero \(broken\.py:1\)"):
        PluginManager([str(tmp_path / "broken.py")])


def test_a_module_is_a_plugin_when_named_on_the_command_line(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("zero", LOSS_PLUGIN)
    (tmp_path / "loose_plugin.py").write_text(LOSS_PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins = PluginManager(["loose_plugin", "zero_module"]).plugins
    assert plugins["loose_plugin"].hooks == ["register_losses"]
    assert "zero_module" not in plugins, "it is the plugin 'zero' already"


def test_a_name_that_is_nothing_at_all_is_refused(install: Install) -> None:
    install("my_gan", LOSS_PLUGIN)
    with pytest.raises(PluginError, match=r"-p my-gan: no plugin, module or \.py file .* did you mean 'my_gan'\?"):
        PluginManager(["my-gan"])


def test_a_config_may_need_a_plugin_but_never_imports_one(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("my_gan", LOSS_PLUGIN)
    (tmp_path / "innocent.py").write_text("raise RuntimeError('a config ran code')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert PluginManager(needed=["my_gan", "no:cyclegan"]).plugins["cyclegan"].blocked
    with pytest.raises(PluginError, match="plugin 'innocent' is needed and not installed"):
        PluginManager(needed=["innocent"])
    assert "innocent" not in sys.modules


def test_the_environment_names_plugins_too(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(LOSS_PLUGIN)
    others = os.environ["TOOLBOX_PLUGINS"]
    monkeypatch.setenv("TOOLBOX_PLUGINS", f"{tmp_path / 'one.py'}, {tmp_path / 'two.py'},no:srgan,{others}")
    plugins = PluginManager().plugins
    assert {"one", "two"} <= set(plugins) and plugins["srgan"].blocked


def test_an_implementation_may_take_fewer_arguments_than_its_hook_gives(install: Install, tmp_path: Path) -> None:
    install("short", "from toolbox import hookimpl\n@hookimpl\ndef report_ready(report):\n    report['seen'] = True\n")
    report: dict[str, Any] = {}
    PluginManager().call("report_ready", report=report, folder=tmp_path)
    assert report == {"seen": True}


def test_a_plugin_that_fails_after_a_run_does_not_lose_it(install: Install, tmp_path: Path) -> None:
    install("bad", "from toolbox import hookimpl\n@hookimpl\ndef report_ready(report):\n    report['x']\n")
    install("good", "from toolbox import hookimpl\n@hookimpl\ndef report_ready(report):\n    report['seen'] = True\n")
    plugins, report = PluginManager(), {}
    with pytest.warns(PluginWarning, match=r"fails in report_ready: KeyError: 'x' \(bad_module\.py:4\)"):
        plugins.call("report_ready", report=report, folder=tmp_path)
    assert report == {"seen": True}
    assert plugins.versions()["bad"] == "bad 1.0", "it was part of the run"


def test_a_plugin_that_fails_on_the_config_stops_the_run_and_names_the_way_out(install: Install) -> None:
    install("bad", "from toolbox import hookimpl\n@hookimpl\ndef config_loaded(config):\n    config['x']\n")
    with pytest.raises(PluginError, match=r"fails in config_loaded: KeyError.*; go on without it by -p no:bad"):
        PluginManager().call("config_loaded", config={})
    PluginManager(["no:bad"]).call("config_loaded", config={})


def test_a_plugin_may_refuse_a_config(install: Install) -> None:
    source = "from toolbox import ConfigError, hookimpl\n@hookimpl\ndef config_loaded(config):\n"
    install("judge", source + "    raise ConfigError('no faces', key='train_dataloader')\n")
    with pytest.raises(ConfigError, match=r"^train_dataloader: no faces$"):
        PluginManager().call("config_loaded", config={})


def test_a_component_that_breaks_its_contract_or_raises_is_a_line_of_the_check_and_the_others_are_checked(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    source = """
from torch import nn
from toolbox import hookimpl

class Good(nn.Module):
    "Costs the mean error."
    def forward(self, prediction, target):
        return (prediction - target).abs().mean()

class Spread(nn.Module):
    "One value is enough for a role of one value."
    def forward(self, prediction):
        return prediction.square().mean()

class NoScalar(Good):
    "Forgets the mean."
    def forward(self, prediction, target):
        return (prediction - target).abs()

class Raises(Good):
    "Misspelt."
    def __init__(self):
        self.no_such.thing

class Undocumented(Good):
    pass

@hookimpl
def register_losses(register):
    for each in (Good, Spread, NoScalar, Raises, Undocumented):
        register(each.__name__, each)
"""
    install("mixed", source)
    assert run("plugins", ["check", "mixed"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "ok  losses/Good: keeps to the contract",
        "no  losses/NoScalar: forward must return a scalar tensor",
        "no  losses/Raises: AttributeError: 'Raises' object has no attribute 'no_such' (mixed_module.py:23)",
        "ok  losses/Spread: keeps to the contract",
        "no  losses/Undocumented: has no docstring; say what it is, shapes, ranges and source",
    ]
