"""Closed streams, readers that leave, and signals: work is done, or stopped in one line with nothing half there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runs import command, pictures, sr_config, write_config
from toolbox.cli import attended

PROGRAM = f"'{sys.executable}' -m toolbox.cli"


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, `$G` being gan-toolbox."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = ["bash", "-c", f'G="{PROGRAM}"; {line}'.replace("$G", PROGRAM)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    "line",
    [
        "$G --help | true",
        "$G models list --long | head -1",
        "$G plugins list >&-",
        "PYTHONUNBUFFERED=1 $G --help | true",
    ],
)
def test_a_reader_that_leaves_and_a_closed_output_are_no_failure(line: str) -> None:
    done = shell(f"{line}; echo ${{PIPESTATUS[0]}} >&2")
    assert done.stderr == "0\n"


def test_an_output_that_cannot_be_written_is_told() -> None:
    done = shell("$G --help > /dev/full; echo $? >&2")
    assert done.stderr == "failed: standard output cannot be written (No space left on device)\n1\n"


def test_pictures_are_translated_without_any_stream_and_a_mistake_keeps_its_code(tmp_path: Path) -> None:
    photos = pictures(tmp_path / "photos", 3, size=16)
    streams = ">&- 2>&- <&-"
    done = shell(f"$G infer {photos} -o {tmp_path}/out {streams}; a=$?; $G infer {tmp_path}/none {streams}; echo $a $?")
    assert done.stdout == "0 2\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["00.png", "01.png", "02.png"]


def test_a_training_goes_on_when_nobody_reads_any_more(tmp_path: Path) -> None:
    config = sr_config(tmp_path) | {"train_cfg": {"max_iters": 4, "val_interval": 10}, "val_dataloader": None}
    file = write_config(config | {"val_evaluator": None}, tmp_path / "run.yaml")
    done = shell(f"$G train {file} | true; echo ${{PIPESTATUS[0]}} >&2")
    assert done.stderr == "0\n" and (tmp_path / "run" / "iter_4.pth").is_file()


def test_pictures_that_a_signal_stops_are_whole_and_told_in_one_line(tmp_path: Path) -> None:
    photos, out = pictures(tmp_path / "photos", 200, size=64), tmp_path / "out"
    arguments = [sys.executable, "-m", "toolbox.cli", "infer", str(photos), "-o", str(out), "--device", "cpu"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        while not list(out.glob("*.png")):
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGHUP)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGHUP
    wanted = "stopped by SIGHUP; the pictures that are written are whole, and --skip-existing goes on"
    assert said.splitlines()[-1].startswith(wanted) and "Traceback" not in said
    assert 0 < len(list(out.iterdir())) < 200 and not list(out.glob(".*"))


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_every_command_ends_with_the_signals_code_and_leaves_the_handlers_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    monkeypatch.setattr("toolbox.cli.doctor.main", lambda _: signal.raise_signal(number))
    before = signal.getsignal(number)
    assert command("doctor") == 128 + number
    assert capsys.readouterr().err == f"stopped by {number.name}\n" and signal.getsignal(number) is before


def test_a_signal_that_nohup_ignores_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolbox.cli.doctor.main", lambda _: signal.raise_signal(signal.SIGHUP) or 0)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert command("doctor") == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_training_of_a_studio_that_a_script_started_with_an_ampersand_hears_its_pipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attended, "_listen", lambda: None)
    monkeypatch.setattr("toolbox.cli.run", lambda *_: signal.raise_signal(signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt):
            attended.main()
    finally:
        signal.signal(signal.SIGINT, before)
