"""Video artifacts: real codecs, the same clip from the same random numbers, sizes kept, PyAV asked for by name."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from toolbox.io.errors import UserError
from toolbox.testing import check_transform
from toolbox_plugins.transforms.video import VideoCompression

SMOOTH = (np.add.outer(np.arange(50) * 2, np.arange(61) * 2)[..., None] + np.array([0, 10, 20])).astype(np.uint8)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_without_pyav_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r"pip install 'gan-toolbox\[video\]'"):
        VideoCompression(source="lr")


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mpeg2video", "libx265"])
def test_the_last_frame_is_the_image_with_artifacts(codec: str) -> None:
    pytest.importorskip("av")
    transform = VideoCompression(source="lr", codecs=(codec,), bits_per_pixel=(0.5, 0.5))
    result = transform({"lr": SMOOTH}, rng())["lr"]
    error = np.abs(result.astype(float) - SMOOTH).mean()
    assert result.shape == SMOOTH.shape and 0 < error < 12


def test_fewer_bits_lose_more() -> None:
    pytest.importorskip("av")
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    errors = []
    for bits in (0.05, 4.0):
        result = VideoCompression(source="lr", codecs=("mpeg4",), bits_per_pixel=(bits, bits))({"lr": image}, rng())[
            "lr"
        ]
        errors.append(np.abs(result.astype(float) - image).mean())
    assert errors[0] > errors[1]


def test_it_keeps_the_contract_of_transforms_and_small_sizes() -> None:
    pytest.importorskip("av")
    check_transform(VideoCompression(source="hr", codecs=("mpeg4",), frames=2))
    tiny = VideoCompression(source="hr", codecs=("mpeg4",))({"hr": SMOOTH[:5, :7]}, rng())["hr"]
    assert tiny.shape == (5, 7, 3)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(UserError, match="codecs must name some of"):
        VideoCompression(source="lr", codecs=("vp10",))
    with pytest.raises(UserError, match="bits_per_pixel must be"):
        VideoCompression(source="lr", bits_per_pixel=(0, 1))
