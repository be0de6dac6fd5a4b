"""`gan-toolbox evaluate` of two films, or of folders of frames, by metrics of frames and of motion."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch import Tensor

from runs import command
from toolbox import SetMetric
from toolbox.benchmark.evaluate import build_metrics, evaluate, evaluate_sets, find_pairs
from toolbox.benchmark.films import film_pairs
from toolbox.io.errors import UserError
from toolbox.io.images import write_image

MOTION = ("PSNR", "WarpingError", "RelativeWarpingError", "TOF")


def frames(count: int = 4, flicker: int = 0) -> list[np.ndarray]:
    """Frames (48, 64, 3) of a still picture, `flicker` levels brighter every second time."""
    ramp = np.add.outer(np.arange(48), np.arange(64)) % 32 * 4 + 40
    picture = np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8)
    return [picture + np.uint8(flicker * (number % 2)) for number in range(count)]


def film(path: Path, pictures: list[np.ndarray]) -> Path:
    """A film without loss in its pixels: FFV1 in RGB."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0")))
        container.mux(stream.encode(None))
    return path


def folder(path: Path, pictures: list[np.ndarray]) -> Path:
    for number, picture in enumerate(pictures):
        write_image(path / f"frame_{number:05d}.png", picture)
    return path


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("films")
    return film(root / "made.mkv", frames(flicker=4)), film(root / "real.mkv", frames())


def test_two_films_are_priced_frame_by_frame_and_their_motion_as_a_whole(films, tmp_path, capsys) -> None:
    table = tmp_path / "table.json"
    asked = [each for name in MOTION for each in ("--metric", name)]
    assert command("evaluate", *films, *asked, "--channel", "RGB", "-o", table) == 0
    found = json.loads(table.read_text())
    assert list(found["images"]) == [f"{number:06d}" for number in range(4)]
    assert [set(row) for row in found["images"].values()] == [{"psnr"}] * 4
    assert found["sets"]["warping_error"] == pytest.approx(1000 * (4 / 255) ** 2, rel=1e-4)
    assert found["sets"]["relative_warping_error"] > 10
    assert "dis-medium@reference" in found["protocols"]["warping_error"]
    assert "farneback" in capsys.readouterr().out


def test_folders_of_frames_have_the_values_of_the_films(films, tmp_path) -> None:
    made, real = folder(tmp_path / "made", frames(flicker=4)), folder(tmp_path / "real", frames())
    pairs, _ = find_pairs(made, real)
    of_folders = evaluate(pairs, build_metrics(list(MOTION))[0])
    of_films = evaluate(film_pairs(*films, 1 << 20), build_metrics(list(MOTION))[0])
    assert of_folders.sets == of_films.sets
    assert list(of_folders.rows.values()) == list(of_films.rows.values())


def test_frames_of_two_folders_are_two_films(tmp_path) -> None:
    """Between the last frame of one and the first of the other nothing is compared."""
    for part, level in (("a", 0), ("b", 3)):
        folder(tmp_path / "real" / part, frames(2))
        folder(tmp_path / "made" / part, [each + np.uint8(level) for each in frames(2)])
    pairs, _ = find_pairs(tmp_path / "made", tmp_path / "real")
    assert evaluate(pairs, build_metrics(["WarpingError"])[0]).sets == {"warping_error": 0}


class Brightness(SetMetric):
    """Mean brightness of the one set above the other's."""

    name, protocol = "brighter", "brighter"  # pyright: ignore[reportAssignmentType]

    def describe(self, image: Tensor) -> Tensor:
        return image.mean()

    def compare(self, predictions: Sequence[Tensor], references: Sequence[Tensor]) -> float:
        return float(torch.stack(list(predictions)).mean() - torch.stack(list(references)).mean())


def test_sets_of_frames_are_compared_too(films) -> None:
    metric = Brightness(prediction="prediction", reference="reference", baseline=False)
    assert evaluate_sets(*films, [metric]).sets["brighter"] == pytest.approx(2 / 255, rel=1e-4)


def test_films_of_unlike_lengths_or_kinds_are_refused(films, tmp_path) -> None:
    made, real = films
    short = film(tmp_path / "short.mkv", frames(3))
    with pytest.raises(UserError, match=r"short.mkv: ends after 3 frames, and the other goes on; --partial"):
        list(film_pairs(short, real, 1 << 20))
    assert len(list(film_pairs(short, real, 1 << 20, partial=True))) == 3
    with pytest.raises(UserError, match="is no video file"):
        list(film_pairs(made, tmp_path, 1 << 20))
    with pytest.raises(UserError, match="--max-pixels"):
        list(film_pairs(made, real, 100))
    one = film(tmp_path / "one.mkv", frames(1))
    with pytest.raises(UserError, match="no two frames of one scene"):
        evaluate(film_pairs(one, one, 1 << 20), build_metrics(["WarpingError"])[0])
