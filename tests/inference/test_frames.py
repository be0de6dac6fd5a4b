"""Animations and files of many pages: every frame, its time, how often, and what cannot hold them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_networks import Smooth
from PIL import Image

from toolbox.inference import Predictor, plan, translate
from toolbox.inference.frames import read_frames, write_frames
from toolbox.inference.header import read_header
from toolbox.io.errors import UserError

tifffile = pytest.importorskip("tifffile")
COLOURS = [(200, 20, 20), (20, 180, 20), (20, 20, 220), (128, 128, 128)]
TIMES = [100, 250, 40, 500]


def animation(path: Path, mode: str = "RGB", plays: int = 0) -> Path:
    """Four frames, each of one colour with a white square; in RGBA its surroundings are clear."""
    frames = []
    for colour in COLOURS:
        frame = Image.new(mode, (12, 10), (*colour, 0) if mode == "RGBA" else colour)
        frame.paste((255, 255, 255, 255)[: len(mode)], (3, 3, 9, 8))
        frame.putpixel((0, 0), (*colour, 255)[: len(mode)])
        frames.append(frame)
    loop = {} if path.suffix == ".avif" or (path.suffix == ".gif" and plays == 1) else {"loop": plays}
    if path.suffix == ".gif" and plays > 1:
        loop = {"loop": plays - 1}
    exact = {"lossless": True} if path.suffix == ".webp" else {}
    disposal = {"disposal": 2} if path.suffix == ".gif" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=TIMES, **loop, **exact, **disposal)
    return path


def translated(source: Path, folder: Path, **options: str) -> tuple[Path, list[str | None]]:
    made = plan([source], folder, **options)
    assert not made.refused
    problems = [problem for _, problem in translate(Predictor(Smooth(), note=[].append), made.jobs)]
    return made.jobs[0].target, problems


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".apng", ".avif"])
def test_every_frame_of_an_animation_is_enlarged_and_keeps_its_time(tmp_path: Path, suffix: str, mode: str) -> None:
    source = animation(tmp_path / f"x{suffix}", mode)
    assert read_header(source).frames == 4
    target, problems = translated(source, tmp_path / "out")
    assert problems == [None] and target.suffix == suffix
    made = read_frames(target)
    assert len(made.pictures) == 4 and list(made.durations) == TIMES and made.plays == 0
    for picture, colour in zip(made.pictures, COLOURS, strict=True):
        assert picture.array.shape[:2] == (40, 48) and picture.alpha == (mode == "RGBA")
        assert np.abs(picture.array[20, 24, :3].astype(int) - 255).max() <= 6
        if mode == "RGB":
            assert np.abs(picture.array[38, 2, :3].astype(int) - colour).max() <= 12
        else:
            assert picture.array[38, 2, 3] == 0 and picture.array[20, 24, 3] == 255


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
@pytest.mark.parametrize("plays", [0, 1, 3])
def test_how_often_an_animation_plays_is_kept_in_every_format(tmp_path: Path, suffix: str, plays: int) -> None:
    source = animation(tmp_path / "x.gif", plays=plays)
    assert read_frames(source).plays == plays
    target, _ = translated(source, tmp_path / "out", file_format=suffix.removeprefix("."))
    assert read_frames(target).plays == plays and list(read_frames(target).durations) == TIMES


def test_pages_of_any_sizes_and_kinds_stay_pages(tmp_path: Path) -> None:
    pages = [
        np.full((6, 5, 3), 40_000, np.uint16), np.full((4, 9), 100, np.uint8), np.full((5, 5), 0.25, np.float32),
        np.full((3, 4, 3), 77, np.uint8),
    ]  # fmt: skip
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        for number, page in enumerate(pages):
            file.write(
                page, photometric="rgb" if page.ndim == 3 else "minisblack", description=f"page {number}", metadata=None
            )
        file.write(pages[3], photometric="rgb", subfiletype=1, metadata=None)  # a smaller copy, as viewers want it
    target, problems = translated(tmp_path / "x.tif", tmp_path / "out")
    assert problems == [None]
    made = read_frames(target).pictures
    assert len(made) == 4
    for picture, page in zip(made, pages, strict=True):
        assert picture.array.shape[:2] == (page.shape[0] * 4, page.shape[1] * 4) and picture.array.dtype == page.dtype
        assert np.allclose(picture.array, page.flat[0])
    with tifffile.TiffFile(target) as file:
        assert [page.description for page in file.pages] == [f"page {number}" for number in range(4)]


@pytest.mark.parametrize("wanted", ["jpg", "bmp", "tga", "dds", "jp2"])
def test_a_format_of_one_frame_is_refused_before_the_work(tmp_path: Path, wanted: str) -> None:
    made = plan([animation(tmp_path / "x.gif")], tmp_path / "out", file_format=wanted)
    assert not made.jobs and "x.gif: has 4 frames or pages, and " in made.refused[0]
    assert "choose --format png, webp, gif or tif" in made.refused[0]


def test_an_animation_becomes_pages_where_tiff_is_asked_for(tmp_path: Path) -> None:
    target, _ = translated(animation(tmp_path / "x.gif"), tmp_path / "out", file_format="tif")
    assert len(read_frames(target).pictures) == 4


def test_frames_come_back_as_they_were_written(tmp_path: Path) -> None:
    frames = read_frames(animation(tmp_path / "x.png", "RGBA"))
    write_frames(tmp_path / "y.png", frames)
    again = read_frames(tmp_path / "y.png")
    assert all(np.array_equal(a.array, b.array) for a, b in zip(frames.pictures, again.pictures, strict=True))


def test_the_default_image_of_an_animation_that_does_not_show_it_is_no_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    first, *others = [Image.new("RGB", (8, 8), (level, 0, 0)) for level in (10, 20, 30)]
    first.save(path, save_all=True, append_images=others, default_image=True, duration=[40, 50])
    frames = read_frames(path)
    assert [int(each.array[0, 0, 0]) for each in frames.pictures] == [20, 30] and frames.durations == (40, 50)


def test_all_pages_together_are_held_to_the_most_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.new("RGB", (60, 60)).save(path, save_all=True, append_images=[Image.new("RGB", (10, 10))])
    wanted = r"a\.tif: 2 frames or pages hold as much as 3,700 pixels in colour, more than the limit of 3,699; --max"
    for read in (read_frames, read_header):  # a large cover counts once, not for each page
        read(path, max_pixels=3700)
        with pytest.raises(UserError, match=wanted):
            read(path, max_pixels=3699)
    Image.new("L", (60, 60)).save(path, save_all=True, append_images=[Image.new("1", (60, 60))] * 2)
    assert len(read_frames(path, max_pixels=3600).pictures) == read_header(path, max_pixels=3600).frames == 3


def test_pages_that_pillow_cannot_read_are_held_to_it_too(tmp_path: Path) -> None:
    path = tmp_path / "deep.tif"
    tifffile.imwrite(path, np.zeros((5, 20, 20, 3), np.uint16), photometric="rgb")
    for read in (read_frames, read_header):
        read(path, max_pixels=4000)
        with pytest.raises(UserError, match=r"deep\.tif: 5 frames or pages hold as much as 4,000 pixels in colour"):
            read(path, max_pixels=3999)
