"""`plugins check` tells what keeps to its contract, what breaks it, and what it could not run for want of arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolbox.cli import run

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
    assert lines["--  losses/Needy"] == "not run: needs a"
    assert lines["--  losses/Either"] == "not run: needs other arguments than its defaults (give either a or b)"
    assert lines["no  losses/Mistaken"].startswith("IndexError: list index out of range (states.py:")
    assert lines["no  losses/Doubling"] == "forward must return a scalar tensor"
    assert lines["no  losses/Choosy"].startswith("ValueError: not these images (states.py:")


def test_a_transform_whose_defaults_are_no_choice_does_not_fail_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plugins", ["check", "transforms"]) == 0
    assert "--  transforms/Resize: not run: needs other arguments" in capsys.readouterr().out
