"""The terminal shows text as text: no name is markup, a command to the terminal, or a second line."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.progress import Progress, TextColumn
from rich.table import Table

from runs import command, pictures, sr_config, write_config
from toolbox.io.console import TextConsole, styled
from toolbox.io.visible import visible

NAMES = st.text(st.characters(codec=None), max_size=40)


def shown(what: object, **settings: object) -> str:
    """What a console writes into a file."""
    stream = io.StringIO()
    TextConsole(file=stream, width=4000).print(what, soft_wrap=True, **settings)  # pyright: ignore[reportArgumentType]
    return stream.getvalue()


@given(NAMES)
@example("[/b]")
@example("[x]")
@example(":smile:")
@example("\x1b[31mred\x1b]8;;evil\x07")
@example("two\nlines\r\tmore")
@example(os.fsdecode(b"caf\xe9.png"))
@example("‮gnp.exe\u2028")
def test_any_name_is_one_line_of_printable_text_that_utf8_can_write(name: str) -> None:
    written = shown(f"{name} was written")
    assert written == f"{visible(name)} was written\n"
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in written[:-1])
    written.encode()


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs"))))
def test_printable_names_are_shown_as_they_are(name: str) -> None:
    assert visible(name) == name


def test_control_characters_and_stray_bytes_are_escapes() -> None:
    assert visible("a\nb\tc\x1b[0m\x9b") == r"a\nb\tc\x1b[0m\x9b"
    assert visible(os.fsdecode(b"caf\xe9")) == r"caf\xe9"


@given(NAMES.filter(lambda name: name.strip() == name != ""))
@example("[/]")
@example("[bold]a[/bold]")
def test_names_in_tables_titles_and_styled_text_are_text(name: str) -> None:
    table = Table(name, title=name, caption=name)
    table.add_row(name)
    found = shown(table)
    assert found.count(visible(name)) >= 4
    assert shown(styled("of ", (name, "bold"))) == f"of {visible(name)}\n"


def test_a_progress_bar_takes_a_name_with_brackets() -> None:
    stream = io.StringIO()
    with Progress(TextColumn("{task.description}", markup=False), console=TextConsole(file=stream)) as bar:
        bar.add_task(visible("warm[/b]up\x1b"), total=1)
    assert r"warm[/b]up\x1b" in stream.getvalue()


@pytest.mark.parametrize(
    ("locale", "name"),
    [({"PYTHONIOENCODING": "ascii"}, rb"gr\xf6\xdfe"), ({"PYTHONUTF8": "0", "LC_ALL": "C"}, rb"gr\xc3\xb6\xc3\x9fe")],
    ids=["a terminal of ASCII", "a system of ASCII: the bytes of the name"],
)
def test_what_the_encoding_lacks_is_written_as_an_escape(locale: dict[str, str], name: bytes, tmp_path: Path) -> None:
    for seed, folder in enumerate((tmp_path / "pred", tmp_path / "ref")):
        pictures(folder, 1, seed=seed)
        (folder / "00.png").rename(folder / "größe.png")
    arguments = ["evaluate", str(tmp_path / "pred"), str(tmp_path / "ref"), "--metric", "PSNR"]
    environment = {**os.environ, **locale}
    done = subprocess.run([sys.executable, "-m", "toolbox.cli", *arguments], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert name in done.stdout and done.stdout.isascii()


@pytest.mark.parametrize("name", ["[/b]", "[x]", "a\nb", "\x1b[31m", os.fsdecode(b"caf\xe9")])
def test_commands_write_into_folders_of_any_name(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / name
    config = sr_config(tmp_path)
    config["train_cfg"] = {"max_iters": 2, "val_interval": 2}
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file, "--work-dir", folder / "run") == 0
    assert command("export", file, folder / "run" / "iter_2.pth", "-o", folder / "net.pth") == 0
    assert command("preview", file, tmp_path / "photos", "-o", folder / "sheet.png", "--count", 1) == 0
    assert command("infer", tmp_path / "photos", "-o", folder, "--weights", folder / "net.pth") == 0
    shown = capsys.readouterr().out
    assert visible(f"written to {folder / 'sheet.png'}") in shown
    assert sorted(path.name for path in folder.glob("0*.png")) == ["00.png", "01.png", "02.png", "03.png"]
