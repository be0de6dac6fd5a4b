"""The contact sheet of a degradation: one row per image, one column per seed, the same sheet from the same seed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from runs import command, pictures, sr_config, write_config
from toolbox.io.images import read_image


def config(folder: Path, **model: object) -> Path:
    return write_config(sr_config(folder, **model), folder / "run.yaml")


def test_the_sheet_has_a_row_per_image_and_a_column_per_version(tmp_path: Path) -> None:
    noise = {"type": "Stages", "scale": 2, "stages": {"noise": {"type": "GaussianNoise"}}}
    file, photos, sheet = config(tmp_path, degradation=noise), pictures(tmp_path / "p", 2), tmp_path / "sheet.png"
    assert command("preview", file, photos, "-o", sheet, "--count", "3", "--size", "31") == 0
    first = read_image(sheet)
    assert first.shape == (22 + 2 * 256 + 6, 4 * 262 - 6, 3)
    assert command("preview", file, photos, "-o", sheet, "--count", "3", "--size", "31") == 0
    assert (read_image(sheet) == first).all()
    assert command("preview", file, photos, "-o", sheet, "--count", "3", "--size", "31", "--seed", "7") == 0
    assert (read_image(sheet) != first).any()


def test_each_stage_has_a_column_of_its_own(tmp_path: Path) -> None:
    stages = {"cast": {"type": "ColorCast", "gain": [0.5, 0.5], "offset": [0, 0]}, "same": {"type": "Quantize"}}
    file = config(tmp_path, degradation={"type": "Stages", "scale": 2, "stages": stages})
    sheet, photos = tmp_path / "sheet.png", pictures(tmp_path / "p", 2)
    assert command("preview", file, photos, "-o", sheet, "--each", "--size", "32") == 0
    shown = read_image(sheet)[22:278]
    clean, cast, same = (shown[:, start : start + 256].astype(int) for start in (0, 262, 524))
    assert (clean == same).all() and abs(clean - 2 * cast).max() <= 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "sheet.png", "--each"], "--each: BicubicDegradation has no named stages"),
        (["-o", "sheet.jpg"], "a contact sheet is a PNG"),
        (["-o", "sheet.png", "--count", "0"], "--count: must be 1 or more"),
        (["-o", "sheet.png", "--seed", "-1"], "--seed: must be 0 or more"),
        (["-o", "sheet.png", "--size", "1"], "too small for a scale of 2"),
        (["-o", "sheet.png", "--cfg-options", "model.degradation=null"], "model.degradation: is missing"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("preview", config(tmp_path), pictures(tmp_path / "p", 1), *arguments) == 2
    assert words in capsys.readouterr().err


def test_the_page_on_degradations_shows_every_stage_by_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolbox.plugins.registry import registry

    root = Path(__file__).parents[2]
    page = (root / "docs/degradations.md").read_text(encoding="utf-8")
    monkeypatch.chdir(root)
    shown: set[str] = set()
    for line in re.findall(r"^python tools/preview\.py (.*)$", page, re.MULTILINE):
        arguments = shlex.split(line.replace("--size 128", "--size 32"))
        place = arguments.index("-o") + 1
        assert (root / arguments[place]).is_file(), "the page shows it"
        arguments[place] = str(tmp_path / "sheet.png")
        assert command("preview", *arguments) == 0
        shown |= set(re.findall(r"type: (\w+)", line))
    wholes = {"BicubicDegradation", "RealESRGANDegradation", "BSRGANDegradation", "VideoDegradation"}
    unseen = {"OneOf", "Shuffle", "FinalResize", "Quantize"}  # compositions, and what no eye sees alone
    assert shown | wholes | unseen == set(registry("degradations").names())
    assert all(f"`{name}`" in page for name in wholes | unseen)
