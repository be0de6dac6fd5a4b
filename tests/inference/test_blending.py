"""Two networks of one shape, blended weight by weight; gray scans in three channels through a network of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from runs import command, pictures
from toolbox.inference import Predictor, blend_of
from toolbox.inference.blending import blend
from toolbox.io.errors import UserError
from toolbox_plugins.realesrgan.srvgg import SRVGGNetCompact


def conv(weight: float, channels: int = 1) -> nn.Conv2d:
    made = nn.Conv2d(channels, channels, 1)
    nn.init.constant_(made.weight, weight)
    nn.init.constant_(made.bias, 0.0)  # pyright: ignore[reportArgumentType]
    return made.eval()


def test_a_blend_has_its_share_of_each_weight() -> None:
    network = conv(1.0)
    blend(network, conv(3.0), 0.25, Path("b.pth"))
    assert network.weight.item() == 1.5
    with pytest.raises(UserError, match=r"b\.pth: is a network of another shape \(weight differs, 4 in all\)"):
        blend(network, conv(1.0, channels=2), 0.5, Path("b.pth"))


def test_a_share_is_from_0_to_1() -> None:
    assert blend_of("a=b.pth=0.3") == (Path("a=b.pth"), 0.3)
    for text in ("b.pth", "b.pth=", "b.pth=1.5", "=0.3", "b.pth=nan"):
        with pytest.raises(UserError, match=r"write FILE=0\.3"):
            blend_of(text)


def test_two_published_files_are_blended_on_the_command_line(tmp_path: Path) -> None:
    torch.manual_seed(0)
    networks = [SRVGGNetCompact(scale=2, width=8, convs=2) for _ in range(2)]
    for number, network in enumerate(networks):
        torch.save({"params": network.state_dict()}, tmp_path / f"{number}.pth")
    pictures(tmp_path / "in", 1, 16)
    results = []
    for share in (0, 0.5, 1):
        out = tmp_path / f"out{share}"
        arguments = ["--weights", tmp_path / "0.pth", "--blend", f"{tmp_path / '1.pth'}={share}", "-o", out]
        assert command("infer", tmp_path / "in", *arguments) == 0
        results.append((out / "00.png").read_bytes())
    for network, result in zip(networks, (results[0], results[2]), strict=True):
        torch.save({"params": network.state_dict()}, tmp_path / "alone.pth")
        assert command("infer", tmp_path / "in", "--weights", tmp_path / "alone.pth", "-o", tmp_path / "alone") == 0
        assert (tmp_path / "alone" / "00.png").read_bytes() == result
    assert results[1] not in (results[0], results[2])


def test_a_gray_scan_in_three_channels_passes_a_network_of_one_and_colours_are_refused() -> None:
    predictor = Predictor(conv(0.5))
    gray = np.full((8, 9, 3), 100, np.uint8)
    gray[0, 0, 0] = 101  # as JPEG leaves it
    assert (predictor(gray) == 50).all() and predictor(gray).shape == (8, 9, 1)
    clear = np.concatenate([gray, np.full((8, 9, 1), 200, np.uint8)], 2)
    assert predictor(clear, alpha=True).shape == (8, 9, 2)
    gray[0, 0, 0] = 102
    with pytest.raises(UserError, match="the picture has 3 channels, and the network takes 1; convert it to gray"):
        predictor(gray)
