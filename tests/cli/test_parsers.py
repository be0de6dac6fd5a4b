"""A command line that is not understood is one line too, with the option, the value and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from runs import pictures, refused, sr_config, write_config
from toolbox.cli.parsers import parser_of


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["infer", "a.png", "--nodata", "x"], "error: --nodata: invalid float value: 'x'; gan-toolbox infer -h"),
        (["infer", "a.png", "--max-pixels", "1e6"], "error: --max-pixels: invalid int value: '1e6'"),
        (["infer"], "error: INPUT: is missing"),
        (["infer", "a.png", "--out-scale", "2"], "--out-scale 2: is not understood; did you mean '--outscale'?"),
        (["train"], "error: CONFIG: is missing"),
        (["train", "a.yaml", "--launcher", "ssh"], "error: --launcher: invalid choice: 'ssh'"),
        (["models", "lst"], "error: action: invalid choice: 'lst'"),
        (["preview", "a.yaml", "a.png"], "error: -o: is missing"),
        (["infer", ""], "error: INPUT: is empty text; name a file or folder"),
        (["infer", "a.png", "-o", " "], "error: -o: is empty text"),
        (["infer", "a.png", "--weights", ""], "error: --weights: is empty text"),
        (["evaluate", "", "b"], "error: PRED: is empty text"),
        (["train", ""], "error: CONFIG: is empty text"),
        (["train", "a.yaml", "--resume", ""], "error: --resume: is empty text"),
        (["train", "a.yaml", "--work-dir", ""], "error: --work-dir: is empty text"),
        (["repeat", "a.yaml", "--seeds", "99999999999999999999"], "--seeds 99999999999999999999: give every seed once"),
        (["export", "--weights", "", "-o", "x.pth"], "error: --weights: is empty text"),
    ],
)
def test_what_is_not_understood_is_one_line(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (4, 4)).save("a.png")  # which no empty text may lead to
    assert told in refused(capsys, *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_file_that_looks_like_an_option_is_told_how_to_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (4, 4)).save("-dash.png")
    for line in (refused(capsys, "infer", "-dash.png"), refused(capsys, "infer", "b.png", "-dash.png")):
        assert "a name that begins with a dash is written ./-dash.png" in line


def test_a_place_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, file = pictures(tmp_path / "photos", 1), write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "folder.png").mkdir()
    (photos / "damaged.png").write_text("x")  # which the work would meet
    for command, ending in ((["evaluate", photos, photos], "csv"), (["preview", file, photos], "png")):
        for place, told in ((f"folder.{ending}", "is a folder"), (f"run.yaml/x.{ending}", "cannot be written there")):
            line = refused(capsys, *command, "-o", tmp_path / place)
            assert f"-o {tmp_path / place}: {told}" in line


def test_a_preview_has_sizes_and_counts_that_a_sheet_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preview = ["preview", write_config(sr_config(tmp_path), tmp_path / "run.yaml"), tmp_path / "photos"]
    for option, value, told in (
        ("--count", 10**9, "--count: must be 100 at most"),
        ("--size", 1, "--size 1: is too small for a scale of 2"),
        ("--seed", 10**23, "--seed: must be 0 or more, and below 2^62"),
    ):
        assert told in refused(capsys, *preview, "-o", tmp_path / "s.png", option, value)


def test_help_still_lists_every_option() -> None:
    assert "--max-pixels" in parser_of("infer").format_help()
