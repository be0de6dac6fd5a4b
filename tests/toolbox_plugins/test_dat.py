"""DAT against spandrel where it is installed, against numbers that spandrel gave, and against what attention is."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch

from toolbox.contracts.graph import missing
from toolbox.io.errors import UserError
from toolbox.testing import check_generator
from toolbox.weights.importing import recognise
from toolbox_plugins.dat.attention import Windows, apart, distances, index
from toolbox_plugins.dat.formats import DATOfficial, sides_of
from toolbox_plugins.dat.generator import DAT
from toolbox_plugins.spandrel.library import PACKAGES, architectures

SMALL: dict[str, Any] = {"width": 32, "depths": [3], "heads": [2], "window": [2, 4]}


@pytest.mark.parametrize(
    "settings",
    [
        {"depth": [6], "num_heads": [4], "upscale": 4, "resi_connection": "3conv", "upsampler": "pixelshuffledirect"},
        {"depth": [1, 6], "num_heads": [2, 4], "upscale": 3, "qkv_bias": False, "expansion_factor": 2.0},
        {"depth": [3], "num_heads": [2], "upscale": 1, "split_size": [4, 4], "in_chans": 1},
    ],
)
def test_it_gives_what_spandrel_gives(settings: dict[str, Any]) -> None:
    if missing(PACKAGES, ""):
        pytest.skip("spandrel is not installed (pip install --no-deps spandrel einops)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = architectures()["DAT"].classes["DAT"](**{"embed_dim": 32, "split_size": [4, 8], **settings})
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.3)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.12)
    theirs.eval()
    found = recognise(theirs.state_dict(), "dat.pth")
    network = DAT(**{key: value for key, value in found.config.items() if key != "type"}).eval()
    network.load_state_dict(found.state)
    for height, width in ((13, 17), (64, 64)):
        images = torch.rand(2, settings.get("in_chans", 3), height, width)
        with torch.no_grad():
            output, wanted = network(images), theirs(images)
        assert (output - wanted).abs().max() < 1e-5 * wanted.abs().max().clamp(min=1)
    written = DATOfficial().restore(network.state_dict())
    assert written.keys() == theirs.state_dict().keys()
    assert all(torch.equal(value, written[key]) for key, value in theirs.state_dict().items())


def test_the_sizes_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        sizes = [sum(p.numel() for p in DAT(scale=scale).parameters()) for scale in (2, 3, 4)]
    assert [round(size / 1000) for size in sizes] == [553, 561, 573]  # table 3: 553K, 561K, 573K


def test_windows_see_their_own_pixels_alone_and_after_a_shift_only_former_neighbours() -> None:
    """A gradient of one output pixel reaches its window; after a shift the window is cut where the image ended."""
    for shifted, wanted in ((False, {(0, 0), (0, 1), (1, 0), (1, 1)}), (True, {(0, 0)})):
        windows = Windows(16, 1, (2, 2), shifted)
        qkv = torch.rand(1, 4, 4, 3, 16, requires_grad=True)
        (gradient,) = torch.autograd.grad(windows(qkv)[0, 0, 0].sum(), qkv)
        reached = {(int(r), int(c)) for r, c in gradient[0].flatten(2).abs().sum(-1).gt(1e-12).nonzero()}
        assert reached == wanted


def test_distances_are_found_by_their_index() -> None:
    sides, N = (2, 3), 6
    at = [(row, column) for row in range(2) for column in range(3)]
    found = distances(sides)[index(sides)]
    assert found.shape == (N, N, 2)
    for i, j in ((0, 5), (4, 1), (3, 3)):
        assert found[i, j].tolist() == [at[i][0] - at[j][0], at[i][1] - at[j][1]]
    assert (apart(4, 6, sides, (1, 1), torch.zeros(()))[0, 0] == 0).all(), "the first window was no edge"


def test_a_files_window_is_bounded_by_its_pixels() -> None:
    assert sides_of(distances((8, 32))) == [8, 32]
    for wrong, told in (([[1023.0, 1023.0]], "more than 4,096 pixels"), ([[float("inf")] * 2], "more than 4,096")):
        with pytest.raises(UserError, match=told):
            sides_of(torch.tensor(wrong))


def test_it_keeps_to_the_contract() -> None:
    check_generator(DAT(**SMALL, scale=2), size=8)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"scale": 5}, "scale must be 1, 2, 3, 4 or 8"),
        ({"out_channels": 1}, "out_channels must equal in_channels"),
        ({"depths": [6, 6]}, "depths and heads want a number for each group"),
        ({"heads": [5]}, "heads must be even"),
        ({"window": [8, 12]}, "window wants two sides"),
        ({"convolutions": 2}, "convolutions must be 1 or 3"),
        ({"expansion": 0.0}, "expansion must make an even number"),
    ],
)
def test_what_it_cannot_be_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        DAT(**arguments)
