"""Trainings are stopped and resumed from the page: real ones, on this machine, by whoever may."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from served import Served, serving, wait_for

from runs import sr_config, write_config
from toolbox.cli import run
from toolbox.studio.found import id_of
from toolbox.studio.trainings import FORBIDDEN, Trainings
from toolbox.weights.checkpoint import read_checkpoint

Open = Callable[..., Any]
SAVES = """
import sys, time
from pathlib import Path
sys.stdin.read()
while not Path("now").exists():
    time.sleep(0.02)
Path("saved").touch()
"""
ENDS = """
import asyncio, sys
from pathlib import Path
from toolbox.studio import trainings
trainings.WAIT = 0.1
trainings.apart = lambda *_: [sys.executable, "-c", sys.argv[2]]
async def resume_and_end():
    folder = Path(sys.argv[1])
    studio = trainings.Trainings(folder)
    await studio.resume(folder, "stopped", {})
    await studio.close()
    assert studio.goes(folder)
asyncio.run(resume_and_end())
"""
PLUGIN = str(Path(__file__).parent / "resting_plugin.py")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A studio that resumes trainings with a hook of somebody's."""
    with serving(tmp_path_factory.mktemp("root"), plugins=[PLUGIN]) as served:
        yield served


@pytest.fixture
def begun(studio: Served) -> Iterator[Path]:
    """A run of a very long training that was stopped after two iterations."""
    folder = studio.root / "work_dirs" / "long"
    config = sr_config(studio.root / "data")
    config |= {"work_dir": str(folder), "train_cfg": {"max_iters": 100_000, "val_interval": 100_000}}
    config["default_hooks"] = {"checkpoint": {"interval": 100_000}, "logger": {"interval": 1}}
    config["custom_hooks"] = [{"type": "Rest"}]
    file = write_config(config, studio.root / "long.yaml")
    if not (folder / "iter_2.pth").exists():
        assert run("train", [str(file), "--stop-at", "2", "-p", PLUGIN]) == 0
    studio.studio.finder._at = -10
    yield folder
    if studio.studio.trainings.goes(folder):
        ask(studio, folder, "stop")
        wait_for(lambda: not studio.studio.trainings.goes(folder), 60)


@contextmanager
def ending(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A training that has ended when the test has, however that went, and saved, so that others go on from it."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()


@contextmanager
def changed(file: Path, text: str) -> Iterator[None]:
    """A file with another text, for a while."""
    before = file.read_text()
    file.write_text(text)
    try:
        yield
    finally:
        file.write_text(before)


def shown(studio: Served, folder: Path) -> Any:
    return studio.json("GET", f"/api/runs/{id_of(folder)}")


def ask(studio: Served, folder: Path, what: str, status: int = 200) -> Any:
    return studio.json("POST", f"/api/runs/{id_of(folder)}/{what}", {}, status=status)


def newest(folder: Path) -> int:
    return max(int(each.stem.removeprefix("iter_")) for each in folder.glob("iter_*.pth"))


def test_a_run_is_resumed_and_stopped_and_every_iteration_counts(studio: Served, begun: Path) -> None:
    (studio.root / "yaml.py").write_text("raise SystemExit('a file of the folder was imported')")
    before = shown(studio, begun)
    assert (before["state"], before["can_resume"], before["can_stop"], before["said"]) == ("stopped", True, False, "")
    ask(studio, begun, "resume")
    assert shown(studio, begun)["said"] == "It is being resumed…" and shown(studio, begun)["state"] == "running"
    assert ask(studio, begun, "resume", 400)["problem"] == "it trains already"
    wait_for(lambda: shown(studio, begun)["iteration"] > 3, 120)
    now = shown(studio, begun)
    assert now["can_stop"] and not now["can_resume"] and "stops when the studio ends" in now["said"]
    ask(studio, begun, "stop")
    now = shown(studio, begun)
    assert now["said"].startswith(("It was asked to stop", "It has saved")) and not now["can_stop"]
    wait_for(lambda: shown(studio, begun)["state"] == "stopped", 60)
    now = shown(studio, begun)
    assert now["said"] == "It has saved and stopped." and now["can_resume"]
    last = newest(begun)
    assert last > 3 and read_checkpoint(begun / f"iter_{last}.pth")["message_hub"] is not None
    assert now["iteration"] == last, "the checkpoint is of the last iteration"


def test_the_pages_buttons_stop_a_training_of_a_terminal_and_resume_it(
    opened: Open, studio: Served, begun: Path
) -> None:
    command = [sys.executable, "-m", "toolbox", "train", str(begun / "config.yaml"), "--work-dir", str(begun)]
    page = opened("watch")
    with ending([*command, "--resume", "-p", PLUGIN]) as terminal:
        before = newest(begun)
        wait_for(lambda: shown(studio, begun)["iteration"] > before + 1, 120)
        page.reload()
        page.get_by_label("Run", exact=True).select_option(label="work_dirs/long (running)")
        page.get_by_role("button", name="Save and stop after this iteration").click(timeout=60_000)
        page.get_by_role("link", name="Use").click()
        terminal.wait(60)
    assert newest(begun) > before, "it has saved, as by Ctrl-C"
    page.get_by_role("link", name="Watch").click()
    page.get_by_role("button", name="Resume").click(timeout=30_000)
    page.get_by_role("status").filter(has_text="stops when the studio ends").wait_for(timeout=120_000)
    page.get_by_role("button", name="Save and stop after this iteration").click()
    page.get_by_role("status").filter(has_text="It has saved and stopped.").wait_for(timeout=60_000)


def test_a_studio_that_ends_takes_along_what_it_resumed(studio: Served, begun: Path) -> None:
    before = newest(begun)
    with serving(studio.root, plugins=[PLUGIN]) as other:
        ask(other, begun, "resume")
        process = other.studio.trainings.resumed[begun].process
        wait_for(lambda: shown(other, begun)["iteration"] > before + 1, 120)
    assert process.returncode is not None and newest(begun) > before, "it has saved"


def test_a_training_saves_in_its_own_time_where_the_studio_has_ended_before(tmp_path: Path) -> None:
    (tmp_path / "iter_1.pth").touch()
    done = subprocess.run([sys.executable, "-c", ENDS, tmp_path, SAVES], capture_output=True, text=True)
    (tmp_path / "now").touch()
    assert (done.returncode, done.stderr) == (0, "")
    wait_for((tmp_path / "saved").exists)


def test_what_cannot_be_resumed_says_why(studio: Served, begun: Path, tmp_path: Path) -> None:
    config = begun / "config.yaml"
    with changed(config, f"{config.read_text()}launcher: pytorch\n"):
        assert "several processes" in ask(studio, begun, "resume", 400)["problem"]
        assert "several processes" in shown(studio, begun)["cannot"] and not shown(studio, begun)["can_resume"]
    empty = studio.root / "work_dirs" / "empty"
    empty.mkdir(exist_ok=True)
    (empty / "config.yaml").write_text("model: {type: SRGAN}\n")
    (empty / ".lock").touch()
    studio.studio.finder._at = -10
    assert ask(studio, empty, "resume", 400)["problem"] == "it has no checkpoint to go on from"


def test_a_run_that_fails_says_what_train_said(studio: Served, begun: Path) -> None:
    config = begun / "config.yaml"
    with changed(config, config.read_text().replace("type: SRGAN", "type: SRGAM")):
        ask(studio, begun, "resume")
        wait_for(lambda: not studio.studio.trainings.goes(begun), 120)
        wait_for(lambda: "SRGAM" in shown(studio, begun)["said"], 60)
        assert shown(studio, begun)["said"].startswith("It ended: error: ")


def test_others_than_this_machine_watch_alone_unless_that_is_asked_for(
    studio: Served, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = Trainings(studio.root, allowed=False)
    with monkeypatch.context() as others:
        others.setattr(studio.studio.trainings, "allowed", False)
        for what in ("stop", "resume"):
            assert ask(studio, begun, what, 400)["problem"] == FORBIDDEN
        assert not shown(studio, begun)["can_resume"] and shown(studio, begun)["cannot"] == FORBIDDEN
    assert trainings.shown(begun, None, "stopped", {})["cannot"] == FORBIDDEN
    status, _, _ = studio.ask("POST", f"/api/runs/{id_of(begun)}/resume", {}, headers={"origin": "http://evil.example"})
    assert status == 403
    status, _, _ = studio.ask("POST", f"/api/runs/{id_of(begun)}/resume", {}, headers={"cookie": ""})
    assert status == 401 and not studio.studio.trainings.goes(begun)
