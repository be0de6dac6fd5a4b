"""What a run's files say of it: curves, a training that went back, speed, verdicts, and who holds its lock."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made_up_runs import made_up_run

from runs import write_config
from toolbox.benchmark.run_files import MOST_POINTS, Curves, health, rows_of
from toolbox.io.errors import UserError
from toolbox.studio import holders
from toolbox.studio.found import Finder, search
from toolbox.studio.holders import Holder, holder_of, stop
from toolbox.studio.runs import Run
from toolbox.studio.trainings import Trainings

HOLD = """
import sys, time
from pathlib import Path
from toolbox.engine.claim import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def scalars(folder: Path, start: str, *lines: object, end: str = "\n") -> None:
    file = folder / start / "vis_data" / "scalars.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a", encoding="utf-8") as opened:
        opened.write("\n".join(json.dumps(line) if not isinstance(line, str) else line for line in lines) + end)


def test_curves_are_read_on_from_where_reading_ended_and_half_a_line_waits(tmp_path: Path) -> None:
    scalars(
        tmp_path,
        "1",
        {"g/pixel": 1.0, "time": 0.5, "step": 10},
        {"val/psnr": 20.0, "step": 10},
        '{"g/pixel": 0.',
        end="",
    )
    curves = Curves(tmp_path).refresh()
    assert (
        curves.points("g/pixel") == [(10, 1.0)] and curves.points("val/psnr") == [(10, 20.0)] and curves.seconds == 0.5
    )
    scalars(tmp_path, "1", '5, "step": 20}')
    assert curves.refresh().points("g/pixel") == [(10, 1.0), (20, 0.5)] and curves.last == 20
    assert curves.refresh().points("g/pixel") == [(10, 1.0), (20, 0.5)], "nothing is read twice"


def test_a_training_that_went_back_has_its_curves_from_there(tmp_path: Path) -> None:
    scalars(tmp_path, "20260101_000000", *({"g/pixel": float(step), "step": step} for step in (10, 20, 30, 40)))
    scalars(tmp_path, "20260102_000000", *({"g/pixel": -float(step), "step": step} for step in (30, 40)))
    curves = Curves(tmp_path).refresh()
    assert curves.points("g/pixel") == [(10, 10.0), (20, 20.0), (30, -30.0), (40, -40.0)] and curves.last == 40


def test_lines_that_are_none_and_numbers_that_are_not_finite_are_passed_over(tmp_path: Path) -> None:
    scalars(
        tmp_path,
        "1",
        "{",
        "[1]",
        '"x"',
        "[" * 5000,
        {"no": 1},
        {"a": "text", "step": 5},
        '{"a": NaN, "b": 2, "step": 6}',
    )
    curves = Curves(tmp_path).refresh()
    assert curves.curves == {"b": [(6, 2.0)]}


def test_a_long_curve_is_thinned_and_keeps_its_ends(tmp_path: Path) -> None:
    scalars(tmp_path, "1", *({"a": float(step), "step": step} for step in range(1, MOST_POINTS + 500)))
    points = Curves(tmp_path).refresh().points("a")
    assert points[0] == (1, 1.0) and points[-1] == (MOST_POINTS + 499, float(MOST_POINTS + 499)) and len(points) <= 601


def test_time_left_and_speed_are_those_of_the_iterations_to_come(tmp_path: Path) -> None:
    write_config({"train_cfg": {"max_iters": 1000}, "train_dataloader": {"batch_size": 8}}, tmp_path / "config.yaml")
    scalars(tmp_path, "1", {"g/pixel": 1.0, "time": 0.25, "step": 200})
    (tmp_path / "samples").mkdir()
    for name in ("iter_100.png", "iter_20.png", "iter_x.png", "other.png"):
        (tmp_path / "samples" / name).touch()
    run, trainings = Run("x", "a run", tmp_path, Curves(tmp_path)), Trainings(tmp_path)
    shown = run.shown(trainings)
    assert (shown["state"], shown["iteration"], shown["planned"], shown["batch"]) == ("stopped", 200, 1000, 8)
    assert shown["left"] is None, "nobody trains"
    assert shown["resume"] == "gan-toolbox train 'a run/config.yaml' --work-dir 'a run' --resume"
    assert shown["samples"] == [20, 100]
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        shown = run.shown(trainings)
        assert shown["state"] == "running" and shown["left"] == 800 * 0.25 and shown["can_stop"]
        holder.kill()
    assert run.shown(trainings)["state"] == "stopped"


def test_verdicts_are_those_of_the_newest_look_and_the_earlier_ones(tmp_path: Path) -> None:
    looks = [
        {"iteration": 100, "verdicts": ["the discriminator wins"], "open": {"d_wins d": "the discriminator wins"}},
        {"iteration": 200, "verdicts": [], "open": {}},
    ]
    (tmp_path / "health.jsonl").write_text(
        "".join(json.dumps(look) + "\n" for look in looks) + '{"iteration": 300, "op'
    )
    assert health(tmp_path) == {"iteration": 200, "now": [], "remarks": [[100, "the discriminator wins"]]}
    (tmp_path / "health.jsonl").write_text(json.dumps(looks[0]) + "\n")
    assert health(tmp_path) == {
        "iteration": 100,
        "now": ["the discriminator wins"],
        "remarks": [[100, "the discriminator wins"]],
    }
    assert health(tmp_path / "none") is None


def test_what_somebody_else_wrote_into_a_runs_files_is_passed_over(tmp_path: Path) -> None:
    scalars(tmp_path, "1", {"a": 10**400, "b": float("nan"), "c": 1.0, "time": 10**400, "step": 1})
    assert Curves(tmp_path).refresh().curves == {"c": [(1, 1.0)]}
    (tmp_path / "health.jsonl").write_text('{"iteration": 1, "verdicts": 5, "open": [1]}\n')
    assert health(tmp_path) == {"iteration": 1, "now": [], "remarks": []}
    (tmp_path / "report.json").write_text(json.dumps({"rows": {"ours": {"a": 10**400, "b": "x", "c": 1}}}))
    assert rows_of(tmp_path) == {"ours": {"c": 1}}


@pytest.mark.skipif(sys.platform == "win32", reason="there a lock does not say who holds it")
def test_only_the_process_that_holds_the_lock_is_ever_asked_to_stop(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text(f"process {os.getpid()} on here, started long ago,\n")
    assert holder_of(tmp_path) is None
    with pytest.raises(UserError, match="nobody trains"):
        stop(tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        found = holder_of(tmp_path)
        assert found is not None and found.process == holder.pid and found.can_stop
        said = (tmp_path / ".lock").read_text()
        (tmp_path / ".lock").write_text(said.replace(f"process {holder.pid} on", f"process {holder.pid} on other-"))
        other = holder_of(tmp_path)
        assert other is not None and not other.can_stop and "another machine" in other.cannot
        (tmp_path / ".lock").write_text(said)
        stop(tmp_path)
        assert holder.wait(60) == -15
    launched = {**os.environ, "TORCHELASTIC_RUN_ID": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=launched
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="torchrun"):
            stop(tmp_path)
        holder.kill()


class MacFlock(ctypes.Structure):
    """`struct flock` as macOS's sys/fcntl.h declares it."""

    _fields_ = [
        ("l_start", ctypes.c_int64),
        ("l_len", ctypes.c_int64),
        ("l_pid", ctypes.c_int32),
        ("l_type", ctypes.c_short),
        ("l_whence", ctypes.c_short),
    ]


@pytest.mark.parametrize(("type_", "held"), [(3, True), (2, False)])
def test_macos_says_who_holds_a_lock_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: int, held: bool
) -> None:
    fcntl = pytest.importorskip("fcntl")
    (tmp_path / ".lock").write_text(f"process 4711 on {socket.gethostname()}, started long ago,\n")

    def answered(_: object, command: int, asked: bytes) -> bytes:
        assert command == 7, "F_GETLK"
        lock = MacFlock.from_buffer_copy(asked)
        assert (lock.l_type, lock.l_whence, lock.l_start, lock.l_len) == (3, 0, 0, 0), "any write to all of it"
        lock.l_pid, lock.l_type = 4711, type_
        return bytes(lock) + asked[ctypes.sizeof(lock) :]

    monkeypatch.setattr(sys, "platform", "darwin")
    for name, value in {"F_GETLK": 7, "F_WRLCK": 3, "F_UNLCK": 2, "fcntl": answered}.items():
        monkeypatch.setattr(fcntl, name, value)
    assert holder_of(tmp_path) == (Holder(4711) if held else None)


def test_where_no_system_tells_who_trains_the_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up_run(tmp_path, "live", (1.0,))
    folder = tmp_path / "work_dirs/live"
    trainings = Trainings(tmp_path)
    assert Run("1", "live", folder, Curves(folder)).shown(trainings)["said"] == ""
    monkeypatch.setattr(holders, "find_spec", lambda name: None)  # Windows has no fcntl
    shown = Run("1", "live", folder, Curves(folder)).shown(trainings)
    assert "does not tell whether it still trains" in shown["said"] and not shown["can_stop"]


def test_exports_runs_and_reports_are_found_and_hidden_folders_are_not(tmp_path: Path) -> None:
    exports = ("a/x.safetensors", "a/x.safetensors.json", "a/y.safetensors.json")
    hidden = (".git/config.yaml", ".git/.lock", "node_modules/config.yaml", "node_modules/.lock")
    for name in (*exports, *hidden, "b/config.yaml", "b/.lock", "c/report.html", "c/report.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "d").symlink_to(tmp_path / "b")
    found = search(tmp_path)
    assert (
        found.exports == [tmp_path / "a/x.safetensors"]
        and found.runs == [tmp_path / "b"]
        and found.grids == [tmp_path / "c"]
    )
    finder = Finder(tmp_path)
    assert finder.run("../b") is None and finder.run(str(tmp_path / "b")) is None


def test_a_search_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolbox.studio.found.ENTRIES", 50)
    for number in range(60):
        (tmp_path / f"{number}").mkdir()
    begun = time.monotonic()
    assert search(tmp_path).cut and time.monotonic() - begun < 1
