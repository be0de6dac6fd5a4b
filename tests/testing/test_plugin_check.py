"""`plugins check` tells what keeps to its contract, what breaks it, and what it could not run for want of arguments."""

from __future__ import annotations

from pathlib import Path

import pytest
from odd_plugin import ODD

from made_up import Install
from toolbox.cli import run
from toolbox.plugins.manager import PluginManager, use
from toolbox.plugins.registry import registry
from toolbox.testing import check_dataset, check_format, check_hook, check_metric, check_plugin
from toolbox.testing.plugin import ARGUMENTS, INPUTS
from toolbox.weights.importing import formats

PLUGIN = '''
"""Losses in several states."""

from torch import Tensor, nn

from toolbox import hookimpl


class Whole(nn.Module):
    """Keeps to the contract."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).abs().mean()


class Either(Whole):
    """Its defaults are no valid choice, by design."""

    def __init__(self, *, a: int | None = None, b: int | None = None) -> None:
        super().__init__()
        if (a is None) == (b is None):
            raise ValueError("give either a or b")


class Needy(Whole):
    """Needs an argument."""

    def __init__(self, *, a: int) -> None:
        super().__init__()


class Mistaken(Whole):
    """Its constructor has a mistake."""

    def __init__(self) -> None:
        super().__init__()
        self.a = [1][2]


class Doubling(Whole):
    """Gives no scalar."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).abs()


class Choosy(Whole):
    """Refuses images instead of arguments."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        raise ValueError("not these images")


@hookimpl
def register_losses(register):
    for component in (Whole, Either, Needy, Mistaken, Doubling, Choosy):
        register(component.__name__, component)
'''


def test_each_component_is_ok_broken_or_not_run_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "states.py").write_text(PLUGIN)
    assert run("plugins", ["check", "states", "-p", str(tmp_path / "states.py")]) == 1
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["ok  losses/Whole"] == "keeps to the contract"
    assert lines["--  losses/Needy"] == f"not run: needs a; {ARGUMENTS}"
    either = "not run: needs other arguments than its defaults (give either a or b)"
    assert lines["--  losses/Either"] == f"{either}; {ARGUMENTS}"
    assert lines["no  losses/Mistaken"].startswith("IndexError: list index out of range (states.py:")
    assert lines["no  losses/Doubling"] == "forward must return a scalar tensor"
    choosy = "not run: made-up images do not suit it (ValueError: not these images (states.py:"
    assert lines["--  losses/Choosy"].startswith(choosy) and lines["--  losses/Choosy"].endswith(INPUTS)


def test_a_transform_whose_defaults_are_no_choice_does_not_fail_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plugins", ["check", "transforms"]) == 0
    assert "--  transforms/Resize: not run: needs other arguments" in capsys.readouterr().out


def test_every_kind_is_checked_and_what_needs_other_inputs_says_so_itself(install: Install) -> None:
    install("odd", ODD)
    use(PluginManager())
    results = {result.name: result for result in check_plugin("odd") if result.kind != "plugin"}
    assert all(result.ran for result in results.values())
    right = {name for name, result in results.items() if result.problem is None}
    assert right == {"Grey", "Latent", "Labels", "Sized", "Keeping", "Numbers", "Peak", "Flat"}
    said = {name: result.problem for name, result in results.items() if result.problem}
    assert said["Open"] == (
        "its constructor takes **kwargs, so that a misspelt argument is never noticed; name each argument"
    )
    assert said["L1Loss"] == "losses has one of that name too, so that every config must say whose; rename it"
    assert str(said["Losing"]).startswith("holds a variant and is no VariantWrapper")
    assert str(said["Restless"]).startswith("the same index and generator give another sample")
    assert str(said["Upside"]).startswith("unlike images measure better than equal ones")
    assert said["Misspelt"] == "no run calls after_train_itr; did you mean 'after_train_iter'?"
    assert str(said["Short"]).startswith("after_train_iter is called as after_train_iter(runner, batch_idx, data_b")


def test_a_hook_that_is_misspelt_and_not_marked_is_found(install: Install) -> None:
    install("odd", ODD)
    use(PluginManager())
    problems = [result.problem for result in check_plugin("odd") if result.kind == "plugin"]
    assert len(problems) == 1
    assert str(problems[0]).startswith("'register_loses' is no hook and is never called; did you mean 'register_losse")


def test_arguments_come_from_a_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from runs import sr_config, write_config

    config = sr_config(tmp_path)
    assert run("plugins", ["check", "datasets", "--config", str(write_config(config, tmp_path / "run.yaml"))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "ok  datasets/ImageFolder: keeps to the contract" in lines
    assert any(line.startswith("--  datasets/UnpairedFolders: not run: needs root_a, root_b;") for line in lines)
    assert run("plugins", ["check", "transforms", "--config", str(tmp_path / "run.yaml")]) == 0
    assert "ok  transforms/RandomCrop: keeps to the contract" in capsys.readouterr().out.splitlines()
    config["model"]["type"] = "SRGANN"
    assert run("plugins", ["check", "datasets", "--config", str(write_config(config, tmp_path / "run.yaml"))]) == 2


def test_a_file_is_checked_by_its_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "states.py").write_text(PLUGIN)
    assert run("plugins", ["check", str(tmp_path / "states.py")]) == 1
    assert "ok  losses/Whole" in capsys.readouterr().out


def test_a_forgotten_entry_point_is_found(install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install("forgetful", PLUGIN)
    site = tmp_path / "forgetful"
    info = site / "forgetful-1.0.dist-info"
    (info / "entry_points.txt").unlink()
    (info / "top_level.txt").write_text("forgetful_module\n")
    said = (
        'forgetful is installed and has no entry point, so that only -p finds it; write [project.entry-points."toolbox.'
        'plugins"] forgetful_module = "forgetful_module" into its pyproject.toml, and install it again'
    )
    assert run("plugins", ["check", "forgetful_module"]) == 2
    assert said in capsys.readouterr().err
    assert run("plugins", ["check", "forgetful_module", "-p", "forgetful_module"]) == 1
    assert f"no  plugin/forgetful_module: {said}" in capsys.readouterr().out.splitlines()
    (tmp_path / "states.py").write_text(PLUGIN)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "another-project"\n')
    assert run("plugins", ["check", str(tmp_path / "states.py")]) == 1
    assert "entry point" not in capsys.readouterr().out, "a single file is a plugin as it is"
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "states"\n')
    assert run("plugins", ["check", str(tmp_path / "states.py")]) == 1
    assert "has no entry point, so that only -p finds the plugin" in capsys.readouterr().out


SMALL = {
    "DAT": {"width": 32, "depths": [3], "heads": [2], "window": [2, 4]},
    "RRDBNet": {"width": 8, "growth": 4, "blocks": 1},
    "SRResNet": {"width": 8, "blocks": 1},
    "SRVGGNetCompact": {"width": 8, "convs": 1},
    "SPAN": {"width": 8},
    "RealPLKSR": {"width": 8, "blocks": 1, "kernel": 5},
    "RCAN": {"width": 8, "groups": 1, "blocks": 1, "reduction": 2},
    "TransformNet": {},
}


@pytest.mark.parametrize("name", sorted(name for name, each in formats().items() if each.network in SMALL))
def test_the_built_in_formats_lead_there_and_back(name: str) -> None:
    layout = formats()[name]
    check_format(layout, registry("generators").get(layout.network)(**SMALL[layout.network]))


def test_the_checks_of_data_and_runs_say_what_is_no_component() -> None:
    for check, said in (
        (check_dataset, "ImageDataset"), (check_metric, "BaseMetric"), (check_hook, "mmengine.hooks.Hook"),
        (check_format, "CheckpointFormat"),
    ):  # fmt: skip
        with pytest.raises(AssertionError, match=said):
            check(object())  # pyright: ignore[reportArgumentType]
