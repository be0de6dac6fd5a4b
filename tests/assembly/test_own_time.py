"""`new` says how long its training takes here, by steps that leave nothing behind."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runs import command, pictures, refused, sr_config, write_config
from toolbox.assembly import own_time
from toolbox.assembly.own_time import seconds_of_a_step, time_told
from toolbox.config import Config, load_config
from toolbox.engine.few_steps import FewStepsHook
from toolbox.io.errors import UserError

pytestmark = pytest.mark.usefixtures("here")


def config(**changes: Any) -> Config:
    """A tiny one of six iterations."""
    return load_config(write_config({**sr_config(Path()), **changes}, Path("run.yaml")))


def walked(step: float, reading: float) -> FewStepsHook:
    """The hook, after as many steps of so many seconds as it wants; the first takes ten times as long."""
    now = [0.0]
    hook, loop = FewStepsHook(lambda: now[0]), SimpleNamespace(stop_training=False)
    runner = SimpleNamespace(train_loop=loop)
    for number in range(100):
        now[0] += reading
        hook.before_train_iter(runner, number)
        now[0] += step * (1 if number else 10)
        hook.after_train_iter(runner, number)
        if loop.stop_training:
            break
    return hook


def test_four_steps_after_the_first_are_timed_with_or_without_reading() -> None:
    hook = walked(0.1, 0.02)
    assert len(hook.ended) == 5
    assert hook.seconds(reading=True) == pytest.approx(0.12)
    assert hook.seconds(reading=False) == pytest.approx(0.1)


def test_slow_steps_are_two() -> None:
    hook = walked(30, 0)
    assert len(hook.ended) == 2 and hook.seconds(reading=True) == pytest.approx(30)


def test_a_run_is_timed_as_it_is_and_leaves_nothing_behind(capfd: pytest.CaptureFixture[str]) -> None:
    given, level = config(), logging.getLogger("toolbox").level
    before = sorted(Path().rglob("*")), repr(given.data)
    seconds = seconds_of_a_step(given, cached=True)
    assert seconds is not None and 0 < seconds < 10
    assert (sorted(Path().rglob("*")), repr(given.data)) == before
    assert capfd.readouterr() == ("", "") and logging.getLogger("toolbox").level == level


def test_what_it_takes_is_the_length_times_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def of_two_seconds(_: Config, *, cached: bool) -> float:
        asked.append(cached)
        return 2.0

    monkeypatch.setattr(own_time, "seconds_of_a_step", of_two_seconds)
    given = config(train_cfg={"max_iters": 900, "val_interval": 100})
    line = "about 30 min on this machine: 900 iterations of 2 s, by its first steps"
    assert time_told(given, 1_000_000) == line
    assert time_told(given, 1_000_000, 13) == f"{line}, and on top of that 9 validations of 13 pictures"
    more = "9 validations of 1 picture and reading the pictures"
    assert time_told(given, 10**10, 1) == f"{line}, and on top of that {more}"
    assert time_told(config(train_cfg={"max_iters": 1900}), 1).endswith(
        "; `new --minutes 30` writes as many iterations as fit"
    )
    assert "--minutes" not in time_told(config(train_cfg={"max_iters": 1900}), 1, fits=False)
    assert asked == [True, True, False, True, True], "a cache of ten thousand megapixels is the training's to make"


def test_the_length_is_fitted_to_the_minutes_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    photos = pictures(Path("photos"), 10, size=72)
    for name, seconds, length, interval in (("quick", 0.5, 2400, 600), ("slow", 10.0, 120, 30)):
        monkeypatch.setattr(own_time, "seconds_of_a_step", lambda *_, each=seconds, **__: each)
        command("new", name, "--task", "enlarge", "--data", photos, "--minutes", "20")
        made = load_config(Path(f"{name}.yaml")).data
        assert made["train_cfg"] == {"max_iters": length, "val_interval": interval}
        assert made["default_hooks"]["checkpoint"]["interval"] == interval
        assert f"# 20 minutes of {seconds:.2g} s on this machine" in Path(f"{name}.yaml").read_text()


def test_minutes_that_are_too_few_leave_no_config(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = pictures(Path("photos"), 10, size=72)
    monkeypatch.setattr(own_time, "seconds_of_a_step", lambda *_, **__: 6.0)
    said = refused(capsys, "new", "mine", "--task", "restore", "--data", photos, "--minutes", "5")
    assert "50 iterations of 6 s fit" in said and "give 10 or more" in said and not list(Path().glob("*.yaml"))
    for minutes in ("0", "-3", "nan", "inf"):
        assert "--minutes" in refused(
            capsys, "new", "mine", "--task", "restore", "--data", photos, "--minutes", minutes
        )
    said = refused(capsys, "new", "mine", "--like", "demo/style.yaml", "--data", photos, "--minutes", "5")
    assert "keeps its recipe's length" in said


def test_a_run_of_one_step_is_not_timed() -> None:
    assert time_told(config(train_cfg={"max_iters": 1}), 1) == "it is too short to be timed"


def test_steps_that_fail_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Config, *, cached: bool) -> float:
        raise UserError("photos: no room")

    monkeypatch.setattr(own_time, "seconds_of_a_step", fails)
    assert time_told(config(), 1) == "how long it takes is not known, its first steps failed: photos: no room"


def test_new_says_it_last_unless_it_is_told_not_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(own_time, "seconds_of_a_step", lambda *_, cached: 0.4)
    photos = pictures(Path("photos"), 12, size=96)
    assert command("new", "mine", "--task", "enlarge", "--data", photos) == 0
    out = capsys.readouterr().out
    assert out.index("gan-toolbox train mine.yaml") < out.index(
        "about 7 min on this machine: 1,000 iterations of 0.4 s"
    )
    assert command("new", "other", "--task", "enlarge", "--data", photos, "--untimed") == 0
    assert "about" not in capsys.readouterr().out
