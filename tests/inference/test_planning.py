"""What becomes of which file is told before any network runs: names, formats, sizes, and what is passed over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runs import command
from toolbox.inference.described import described_scale
from toolbox.inference.planning import plan, refuse
from toolbox.inference.sizes import note_of_disk, problem_of_size
from toolbox.io.errors import UserError

ROOT = Path(__file__).parents[2]


def save(path: Path, mode: str = "RGB", size: tuple[int, int] = (8, 6), kind: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path, format=kind)
    return path


def targets(*inputs: Path, folder: Path, **options: str) -> list[str]:
    return [job.target.relative_to(folder).as_posix() for job in plan(inputs, folder, **options).jobs]


def test_each_format_is_written_as_it_came_and_what_cannot_be_as_png(tmp_path: Path) -> None:
    own = ["a.jpe", "a.jfif", "a.avif", "a.gif", "a.jp2", "a.tga", "a.dds", "a.bmp", "a.WEBP", "a.tif", "a.apng"]
    for number, name in enumerate([*own, "a.qoi", "a.ppm", "a.pcx"]):
        kind = {".jpe": "JPEG", ".jfif": "JPEG", ".apng": "PNG"}.get(Path(name).suffix)
        save(tmp_path / "in" / f"{number:02}{Path(name).suffix}", kind=kind)
    made = plan([tmp_path / "in"], tmp_path / "out")
    endings = [job.target.suffix for job in made.jobs]
    assert endings == [Path(name).suffix for name in own] + [".png"] * 3 and not made.refused
    assert made.notes == ["written as PNG: 11.qoi, 12.ppm, 13.pcx"]


def test_a_file_of_another_format_than_its_name_is_written_as_what_it_is(tmp_path: Path) -> None:
    disguised = save(tmp_path / "x.jpg", "RGBA", kind="PNG")
    assert targets(disguised, folder=tmp_path / "out") == ["x.png"]


def test_transparency_a_long_name_and_a_damaged_file_are_refused_and_the_others_are_planned(tmp_path: Path) -> None:
    save(tmp_path / "in/clear.png", "RGBA")
    save(tmp_path / "in/good.png")
    save(tmp_path / "in" / f"{'n' * 251}.png")
    (tmp_path / "in/bad.png").write_text("none")
    (tmp_path / "in/page.txt").write_text("none")
    made = plan([tmp_path / "in"], tmp_path / "out", suffix="_x4", file_format="jpg")
    assert [job.source.name for job in made.jobs] == ["good.png"] and made.count == 4
    lines = "\n".join(made.refused)
    assert "clear.png: JPEG holds no transparency; choose --format png, or --alpha drop" in lines
    assert "the result's name would have 258 bytes, and 255 are the most; rename it" in lines
    assert "bad.png: not an image" in lines
    assert made.notes == [f"{tmp_path / 'in'}: 1 file is no image and passed over: page.txt"]
    assert len(plan([tmp_path / "in"], tmp_path / "out", file_format="jpg", drops_alpha=True).jobs) == 3


def test_names_of_255_bytes_are_written(tmp_path: Path) -> None:
    from toolbox.inference.picture import Picture
    from toolbox.inference.picture_write import write_picture

    name = "é" * 125 + "n.png"
    assert len(name.encode()) == 255
    write_picture(tmp_path / name, Picture(np.zeros((2, 2, 3), np.uint8)))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_result_too_large_for_its_format_or_for_memory_is_refused_by_its_scale(tmp_path: Path) -> None:
    wide, small = save(tmp_path / "wide.webp", size=(4200, 8)), save(tmp_path / "small.png")
    made = plan([wide, small], tmp_path / "out")
    refuse(made, lambda job: problem_of_size(job, 4))
    assert [job.source for job in made.jobs] == [small]
    assert f"{wide}: WEBP holds no side of 16,800 pixels; choose --format png or tif" in made.refused[0]
    need = problem_of_size(made.jobs[0], 4, free=2000)
    assert need is not None and "needs 0.0 GB of memory, and 0.0 GB are free" in need
    assert problem_of_size(made.jobs[0], 4, free=8 * 6 * 16 * 3) is None
    assert note_of_disk(made.jobs, 4, tmp_path) is None
    assert "the results may take" in str(note_of_disk(made.jobs, 1e7, tmp_path))


def test_the_scale_of_a_shipped_model_is_known_without_loading_it() -> None:
    assert described_scale(Path("palette-x4"), None) == 4
    assert described_scale(Path("nothing.pth"), None) is None


def test_results_are_no_inputs_of_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "a.png")
    save(tmp_path / "results/a.png")
    made = plan([Path(".")], Path("results"))
    assert [job.source for job in made.jobs] == [Path("a.png")] and not made.refused
    assert made.notes == ["results: holds results, and is not searched for inputs"]
    made.pass_over_existing()
    assert not made.jobs and made.there == 1
    save(tmp_path / "a_x4.png")
    save(tmp_path / "b_x4.png")
    made = plan([Path(".")], Path("."), suffix="_x4")
    assert [job.target.name for job in made.jobs if job.source.parent == Path(".")] == ["a_x4.png", "b_x4_x4.png"]


def test_an_empty_file_is_no_result(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").touch()
    made = plan([source], tmp_path / "out")
    made.pass_over_existing()
    assert len(made.jobs) == 1


def test_inputs_of_one_stem_get_results_of_their_own_and_of_one_name_are_refused_alone(tmp_path: Path) -> None:
    for name in ("in/stone.tga", "in/stone.dds", "in/wood.png"):
        save(tmp_path / name)
    assert targets(tmp_path / "in", folder=tmp_path / "out") == ["stone.dds", "stone.tga", "wood.png"]
    made = targets(tmp_path / "in", folder=tmp_path / "out", file_format="png", suffix="_x4")
    assert made == ["stone.dds_x4.png", "stone.tga_x4.png", "wood_x4.png"]
    save(tmp_path / "other/wood.png")
    again = plan([tmp_path / "in", tmp_path / "other"], tmp_path / "out")
    assert [job.target.name for job in again.jobs] == ["stone.dds", "stone.tga"] and len(again.refused) == 1
    assert "would both be written to" in again.refused[0]


def test_a_pdf_is_refused_with_the_command_that_makes_pictures_of_it(tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes(b"%PDF-1.7")
    made = plan([tmp_path / "scan.pdf"], tmp_path / "out")
    assert made.refused == [
        f"{tmp_path / 'scan.pdf'}: a PDF page is drawn, not decoded; make pictures of its pages: "
        "pdftoppm -r 300 -png scan.pdf scan"
    ]
    with pytest.raises(UserError, match=r"holds no image.*1 file is no image and passed over: scan\.pdf \(a PDF page"):
        plan([tmp_path], tmp_path / "out")


def test_a_refusal_needs_no_torch(tmp_path: Path) -> None:
    save(tmp_path / "a.png", "RGBA")
    code = (
        "import sys; from toolbox.cli import run; code = run('infer', sys.argv[1:]);"
        "sys.exit(code if 'torch' not in sys.modules else 9)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.png", "-o", tmp_path / "out", "--format", "jpg"],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert ran.returncode == 2
    assert (
        ran.stderr == f"error: {tmp_path / 'a.png'}: JPEG holds no transparency; choose --format png, or --alpha drop\n"
    )
    assert not (tmp_path / "out").exists()


def test_a_larger_picture_than_allowed_is_named_with_the_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a.png", "1", (14_000, 13_000))
    assert command("infer", tmp_path / "a.png", "-o", tmp_path / "out") == 2
    wanted = "182,000,000 pixels are more than the limit of 178,956,970; --max-pixels N allows more"
    assert wanted in capsys.readouterr().err
    assert len(plan([tmp_path / "a.png"], tmp_path / "out", max_pixels=182_000_000).jobs) == 1


def test_a_refused_input_is_not_overwritten_by_the_result_of_another(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.pcx")
    damaged = tmp_path / "a.png"
    damaged.write_bytes(b"no picture")
    made = plan([tmp_path], tmp_path)
    assert damaged not in [job.target for job in made.jobs]
    assert len(made.refused) + len(made.jobs) == 2 and any("a.png" in line for line in made.refused)
