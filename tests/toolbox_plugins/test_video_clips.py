"""Clips out of films and folders: the same frames wherever reading begins, no cuts, drawn from the passed generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolbox import UserError
from toolbox.testing import check_dataset, check_degradation
from toolbox.testing.clips import moving_clips
from toolbox_plugins.transforms.geometry import RandomCrop
from toolbox_plugins.video.dataset import VideoClips, there_and_back, within_a_scene
from toolbox_plugins.video.degradation import VideoDegradation
from toolbox_plugins.video.footage import Film, FrameFolder

COUNT = 40


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 frames that say their number in their brightness, with B-frames and a key frame in twelve."""
    av = pytest.importorskip("av")
    path = tmp_path_factory.mktemp("films") / "steps.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"g": "12", "bf": "2", "crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for number in range(COUNT):
            frame = np.full((32, 48, 3), 20 + 5 * number, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes, bright and dark, of eleven and of three frames, whose names sort wrongly as text."""
    root = tmp_path_factory.mktemp("footage")
    (root / "scene").mkdir()
    for number in range(14):
        value = 200 + number if number < 11 else number
        Image.fromarray(np.full((24, 32, 3), value, np.uint8)).save(root / "scene" / f"frame_{number}.png")
    return root


def test_a_frame_is_the_same_wherever_reading_begins(film: Path) -> None:
    footage = Film(film)
    assert (footage.count, footage.size, footage.stamped) == (COUNT, (32, 48), True)
    every = footage.read(range(COUNT))
    assert np.abs(every.mean((1, 2, 3)) - (20 + 5 * np.arange(COUNT))).max() < 2
    for start in (0, 1, 11, 12, 23, 30, 37):
        assert np.array_equal(footage.read(range(start, start + 3)), every[start : start + 3])
    assert np.array_equal(footage.read([3, 17, 39]), every[[3, 17, 39]])


def test_frames_without_time_stamps_of_their_own_are_counted(film: Path, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "steps.avi"
    frames = Film(film).read(range(12))
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=25, options={"bf": "2", "q": "2"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode(None))
    footage = Film(path)
    every = footage.read(range(footage.count))
    levels = every.mean((1, 2, 3))
    assert footage.count == 12 and (np.diff(levels) >= 0).all() and levels[-1] - levels[0] > 50
    assert np.array_equal(footage.read([5, 6]), every[5:7])


def test_a_folder_is_read_in_the_order_of_its_numbers(folder: Path) -> None:
    footage = FrameFolder(folder / "scene", list((folder / "scene").iterdir()))
    assert footage.read(range(9, 12))[:, 0, 0, 0].tolist() == [209, 210, 11]


def test_a_dataset_keeps_to_its_contract_and_names_film_and_frame(film: Path, folder: Path) -> None:
    films = VideoClips(root=[str(film.parent), str(folder)], frames=4, transforms=[RandomCrop(size=16)])
    check_dataset(films)
    assert len(films) == 10 + 3
    sample = films.sample(0, np.random.default_rng(3))
    number, name, start = sample["name"].split("/")
    assert (number, name) == ("1", "steps.mp4")
    assert sample["hr"].shape == (4, 16, 16, 3)
    assert np.abs(sample["hr"].mean((1, 2, 3)) - (20 + 5 * (int(start) + np.arange(4)))).max() < 2
    assert films.sizes_of(0) == {"hr": (16, 16)}
    assert [name for name, _ in films.named_files()][:2] == ["1/steps.mp4", "2/scene/frame_0.png"]


def test_an_evaluation_takes_films_from_their_beginning_with_every_so_manieth_frame(film: Path) -> None:
    films = VideoClips(root=str(film), frames=3, stride=5, anywhere=False)
    assert len(films) == 3
    assert films.sample(2, np.random.default_rng(0))["name"] == "steps.mp4/00022"
    levels = films.sample(2, np.random.default_rng(0))["hr"].mean((1, 2, 3))
    assert np.abs(levels - (20 + 5 * np.array([22, 27, 32]))).max() < 2


def test_a_clip_ends_at_a_cut_and_goes_on_backwards() -> None:
    clip = np.array([200, 201, 202, 10, 11], np.uint8).reshape(5, 1, 1, 1).repeat(3, 3)
    assert within_a_scene(clip, 0.15)[:, 0, 0, 0].tolist() == [200, 201, 202, 201, 200]
    assert np.array_equal(within_a_scene(clip, 1.0), clip)
    assert there_and_back([4], 3) == [4, 4, 4] and there_and_back([1, 2], 5) == [1, 2, 1, 2, 1]


def test_what_cannot_be_read_is_named(tmp_path: Path, film: Path) -> None:
    with pytest.raises(UserError, match="there is no such film or folder"):
        VideoClips(root=str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="holds neither films nor folders of frames"):
        VideoClips(root=str(tmp_path))
    with pytest.raises(UserError, match=r"steps.mp4: has 40 frames, and a clip needs 41; choose fewer"):
        VideoClips(root=str(film), frames=41)
    with pytest.raises(UserError, match="frames must be 2 or more and stride 1 or more, got 1 and 1"):
        VideoClips(root=str(film), frames=1)


def clip_of(seed: int = 0) -> np.ndarray:
    return np.ascontiguousarray(moving_clips(1, 4, 24, seed=seed)[0].permute(0, 2, 3, 1).numpy())  # (4, 24, 32, 3)


def test_a_video_degradation_keeps_to_its_contract() -> None:
    check_degradation(VideoDegradation(scale=2, compression=0))


def test_noise_is_anew_in_each_frame_and_of_one_strength() -> None:
    still = np.full((4, 64, 64, 3), 0.5, np.float32)
    degradation = VideoDegradation(scale=1, blur_sigma=(0, 0), noise_sigma=(10, 10), compression=0)
    noise = degradation.degrade(still, np.random.default_rng(0)) - still
    assert noise.std((1, 2, 3)) * 255 == pytest.approx([10] * 4, rel=0.05)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05


def test_blur_stays_or_drifts_over_a_clip() -> None:
    still = np.repeat(np.random.default_rng(0).random((1, 48, 48, 3), np.float32), 6, 0)
    spread = []
    for drift in (0.0, 1.0):
        degradation = VideoDegradation(scale=1, blur_sigma=(0.5, 3), noise_sigma=(0, 0), drift=drift, compression=0)
        spread.append(np.ptp(degradation.degrade(still, np.random.default_rng(5)).std((1, 2, 3))))
    assert spread[0] == pytest.approx(0, abs=1e-6) and spread[1] > 0.003


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mpeg2video"])
def test_a_codec_of_few_bits_damages_more_and_every_frame_of_odd_sizes_comes_back(codec: str) -> None:
    pytest.importorskip("av")
    clip = np.random.default_rng(0).random((5, 33, 47, 3), np.float32) * 0.3 + clip_of()[:1, :1, :1] * 0.5
    off = []
    for bits in (0.05, 4.0):
        degradation = VideoDegradation(
            scale=1, blur_sigma=(0, 0), noise_sigma=(0, 0), compression=1, codecs=(codec,), bits_per_pixel=(bits, bits)
        )
        made = degradation.degrade(clip, np.random.default_rng(0))
        assert made.shape == clip.shape and made.dtype == np.float32
        assert np.array_equal(made, degradation.degrade(clip, np.random.default_rng(0)))
        off.append(np.abs(made - clip).mean())
    assert off[1] < off[0]


def test_wrong_damage_is_refused() -> None:
    for arguments, message in (
        ({"scale": 5}, "scale must be 1, 2, 3, 4 or 8, got 5"),
        ({"codecs": ("vp10",)}, "codecs must name some of libx264"),
        ({"drift": 2}, "drift must be a probability from 0 to 1, got 2"),
    ):
        with pytest.raises(UserError, match=message):
            VideoDegradation(**{"compression": 0, **arguments})
