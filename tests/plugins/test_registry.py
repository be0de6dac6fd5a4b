"""Components are found by name among what the plugins register: lazily, never silently, and never by importing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from made_up import LOSS_PLUGIN, Install
from toolbox.assembly.build import build_component
from toolbox.io.errors import ConfigError
from toolbox.plugins.manager import PluginError, PluginManager, PluginWarning, use
from toolbox.plugins.registry import KINDS, UnknownComponent, registry


def test_a_kinds_hook_is_called_on_its_first_look_up_and_no_other_kinds(install: Install) -> None:
    install("lazy", """
from toolbox import hookimpl
CALLS = []

class Zero:
    pass

@hookimpl
def register_losses(register):
    CALLS.append("losses")
    register("Zero", Zero)

@hookimpl
def register_generators(register):
    CALLS.append("generators")
""")  # fmt: skip
    use(PluginManager())
    calls = sys.modules["lazy_module"].CALLS
    assert calls == []
    registry("losses").get("Zero")
    registry("losses").names()
    assert calls == ["losses"]
    registry("generators").names()
    assert calls == ["losses", "generators"]


def test_a_new_set_of_plugins_replaces_what_was_registered(install: Install) -> None:
    install("zero", LOSS_PLUGIN)
    use(PluginManager())
    assert "Zero" in registry("losses").names()
    use(PluginManager(["no:zero"]))
    assert "Zero" not in registry("losses").names() and "L1Loss" in registry("losses").names()


def test_a_name_clash_fails_when_used_and_only_then_and_names_both_and_the_ways_out(install: Install) -> None:
    install("first", LOSS_PLUGIN, distribution="one", version="0.3")
    install("second", LOSS_PLUGIN, distribution="two")
    use(PluginManager())
    losses = registry("losses")
    assert losses.get("L1Loss").__name__ == "L1Loss", "others of the kind go on working"
    assert [owned.plugin.name for owned in losses.owners("Zero")] == ["first", "second"]
    with pytest.raises(UnknownComponent) as caught:
        losses.get("Zero")
    assert str(caught.value) == (
        "loss 'Zero' is registered by first (one 0.3) and second (two 1.0); "
        "write 'first/Zero' or 'second/Zero', or block one with -p no:second"
    )


def test_a_plugins_name_before_a_slash_picks_its_component(install: Install) -> None:
    install("first", LOSS_PLUGIN)
    install("second", LOSS_PLUGIN)
    use(PluginManager())
    for plugin in ("first", "second"):
        found = registry("losses").get(f"{plugin}/Zero")
        assert found.__module__ == f"{plugin}_module"
        assert type(build_component("losses", {"type": f"{plugin}/Zero"})) is found


def test_blocking_one_of_two_plugins_resolves_a_clash(install: Install) -> None:
    install("first", LOSS_PLUGIN)
    install("second", LOSS_PLUGIN)
    use(PluginManager(["no:second"]))
    assert registry("losses").get("Zero").__module__ == "first_module"
    with pytest.raises(UnknownComponent, match=r"no loss is called 'second/Zero'"):
        registry("losses").get("second/Zero")


def test_a_third_party_cannot_quietly_replace_a_built_in(install: Install) -> None:
    install("mine", LOSS_PLUGIN.replace("Zero", "L1Loss"))
    use(PluginManager())
    with pytest.raises(UnknownComponent, match=r"'losses/L1Loss' or 'mine/L1Loss'"):
        registry("losses").get("L1Loss")


def test_an_unknown_name_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(
        UnknownComponent, match=r"^no generator is called 'ResnetGenertor'; did you mean 'ResnetGenerator'"
    ):
        registry("generators").get("ResnetGenertor")
    with pytest.raises(UnknownComponent, match=r"no kind of component called 'generator'; did you mean 'generators'\?"):
        registry("generator")


def test_an_unknown_name_is_answered_with_every_plugin_that_is_broken(install: Install) -> None:
    install("bad", "import no_such_module_at_all")
    with pytest.warns(PluginWarning):
        use(PluginManager())
    with pytest.raises(UnknownComponent, match=r"plugin 'bad' \(bad 1\.0\) is broken: ModuleNotFoundError"):
        registry("losses").get("NobodyHasThis")


def test_a_plugin_that_raises_in_a_hook_does_not_stop_the_others(install: Install) -> None:
    install("bad", LOSS_PLUGIN.replace("register(", "register.no_such_thing("))
    install("zero", LOSS_PLUGIN)
    use(PluginManager())
    with pytest.warns(PluginWarning, match=r"plugin 'bad' \(bad 1\.0\) fails in register_losses: AttributeError"):
        names = registry("losses").names()
    assert {"Zero", "L1Loss"} <= set(names)
    with pytest.raises(UnknownComponent, match=r"plugin 'bad' .* is broken: register_losses: AttributeError"):
        registry("losses").get("Bad")


def test_a_plugin_that_raises_in_a_hook_raises_when_strict(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("bad", LOSS_PLUGIN.replace("register(", "register.no_such_thing("))
    monkeypatch.setenv("TOOLBOX_STRICT", "1")
    use(PluginManager())
    for _ in range(2):  # nor is a half-filled registry taken for a full one the second time
        with pytest.raises(PluginError, match=r"fails in register_losses: .*; go on without it by -p no:bad"):
            registry("losses").names()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ('register("my.Loss", Zero)', "loss name 'my.Loss' must be an identifier"),
        ('register("a/Loss", Zero)', "loss name 'a/Loss' must be an identifier"),
        ('register("Zero", Zero())', "loss 'Zero' must be a class"),
        ('register("Zero", Zero); register("Zero", Zero)', "loss 'Zero' is registered twice by 'bad'"),
        (
            'from toolbox import Regularizer; register("Zero", type("Zero", (Regularizer,), {}))',
            "loss 'Zero' must have forward",
        ),
    ],
)
def test_what_cannot_be_registered_is_the_plugins_error(install: Install, call: str, said: str) -> None:
    install("bad", LOSS_PLUGIN.replace('register("Zero", Zero)', call))
    use(PluginManager())
    with pytest.warns(PluginWarning, match=rf"{said}.* \(bad_module\.py:9\)"):
        registry("losses").names()


def test_a_type_with_a_dot_is_never_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trap.py").write_text("raise RuntimeError('a config ran code')")
    monkeypatch.syspath_prepend(str(tmp_path))
    for kind in KINDS:
        for name in ("trap.Boom", "os.system", "torch.nn.L1Loss"):
            with pytest.raises(UnknownComponent, match="never an import path"):
                registry(kind).get(name)
            with pytest.raises((ConfigError, UnknownComponent)):
                build_component(kind, {"type": name})
            with pytest.raises((ConfigError, UnknownComponent)):
                registry(kind).build({"type": name})
    assert "trap" not in sys.modules
