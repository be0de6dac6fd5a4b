"""Version, help by task, and scripts that complete what the parsers take."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from toolbox import __version__
from toolbox.cli import COMMANDS, TASKS, main
from toolbox.cli.completion import SHELLS, everything, script
from toolbox.cli.parsers import parser_of


def completed(tmp_path: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    (tmp_path / "c.sh").write_text(script("bash"))
    code = '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); _gan_toolbox; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "-c", code, "bash", str(tmp_path / "c.sh"), "gan-toolbox", *words], capture_output=True, text=True
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["tr"], ["train"]),
        (["--ver"], ["--version"]),
        (["new", "--task", "re"], ["restore"]),
        (["train", "--cfg"], ["--cfg-options"]),
        (["models", "down"], ["download"]),
        (["models", "download", "--fr"], ["--from"]),
        (["completion", "f"], ["fish"]),
    ],
)
def test_bash_completes_commands_options_and_choices(words: list[str], offered: list[str], tmp_path: Path) -> None:
    assert completed(tmp_path, *words) == offered


@pytest.mark.parametrize("shell", SHELLS)
def test_every_script_names_every_command_and_is_one_that_the_shell_reads(shell: str, tmp_path: Path) -> None:
    text = script(shell)
    assert all(command in text for command in COMMANDS)
    if shutil.which(shell):
        (tmp_path / "script").write_text(text)
        checked = subprocess.run([shell, "-n", str(tmp_path / "script")], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_says_what_it_takes_without_a_run(command: str) -> None:
    assert parser_of(command).prog == f"gan-toolbox {command}"
    assert "--help" in everything()[command]


def test_help_groups_the_commands_by_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert [line[:-1] for line in out.splitlines() if line.endswith(":")] == list(TASKS)
    assert all(f"  {name}" in out for name in COMMANDS)


def test_the_version_is_told_and_the_package_runs_as_a_module(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"gan-toolbox {__version__}\n"
    done = subprocess.run([sys.executable, "-m", "toolbox", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"gan-toolbox {__version__}\n")
