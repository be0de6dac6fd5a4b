"""Losses of painters: each image against its own style's pictures, and the grid that sub-pixels draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from toolbox.io.errors import UserError
from toolbox.testing import check_loss
from toolbox_plugins.features.random_features import RandomFeatures
from toolbox_plugins.losses.lattice import LatticeLoss
from toolbox_plugins.losses.statistics import gram_matrix
from toolbox_plugins.losses.style_image import StyleImageLoss
from toolbox_plugins.losses.style_images import StyleImagesLoss, part_of


def save(path: Path, seed: int, size: tuple[int, int] = (24, 32)) -> Tensor:
    """Write a random picture of (height, width); return it as (1, 3, H, W) in [0, 1]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255


def loss_of(folder: Path, **arguments: Any) -> StyleImagesLoss:
    save(folder / "a.png", 0), save(folder / "b.png", 1)
    images = {"a": str(folder / "a.png"), "b": str(folder / "b.png")}
    given = {"features": RandomFeatures(width=4), "images": images, "layers": {"relu1_2": 1.0, "relu2_2": 2.0}}
    return StyleImagesLoss(**given | arguments)


@pytest.mark.parametrize("criterion", ["gram", "moments", "sliced"])
def test_each_image_is_compared_with_its_own_style(tmp_path: Path, criterion: str) -> None:
    loss = loss_of(tmp_path, criterion=criterion)
    pictures = torch.cat([save(tmp_path / "b.png", 1), save(tmp_path / "a.png", 0)])
    own, other = (loss(pictures, torch.tensor(numbers)).item() for numbers in ([1, 0], [0, 1]))
    assert own < (0.5 * other if criterion == "sliced" else 1e-9), "sets are compared by samples of them"
    assert other > 1e-3


def test_one_style_at_one_size_is_the_relative_style_image_loss(tmp_path: Path) -> None:
    features, layers, images = RandomFeatures(width=4), {"relu1_2": 1.0, "relu2_2": 2.0}, torch.rand(2, 3, 16, 16)
    loss = loss_of(tmp_path, features=features, layers=layers, sizes=[1])
    other = StyleImageLoss(features=features, image=str(tmp_path / "a.png"), layers=layers, relative=True)
    assert loss(images, torch.zeros(2)).item() == pytest.approx(other(images).item(), rel=1e-5)


def test_sizes_add_up_and_both_sides_are_shrunk(tmp_path: Path) -> None:
    images, first = torch.rand(1, 3, 16, 16), torch.zeros(1)
    features = RandomFeatures(width=4)
    apart = [loss_of(tmp_path, features=features, sizes=[size])(images, first).item() for size in (1, 2)]
    assert loss_of(tmp_path, features=features, sizes=[1, 2])(images, first).item() == pytest.approx(sum(apart))
    picture = save(tmp_path / "a.png", 0)
    assert loss_of(tmp_path, features=features, sizes=[3])(picture, first).item() == pytest.approx(0, abs=1e-9)


def test_a_second_networks_layers_count_beside_the_firsts(tmp_path: Path) -> None:
    images, numbers = torch.rand(2, 3, 16, 16), torch.tensor([1, 0])
    first, second = RandomFeatures(width=4), RandomFeatures(width=4, seed=1)
    layers = {"relu1_1": 3.0, "relu2_1": 1.0}
    both = loss_of(tmp_path, features=first, texture=second, texture_layers=layers)
    apart = loss_of(tmp_path, features=first), loss_of(tmp_path, features=second, layers=layers)
    assert both(images, numbers).item() == pytest.approx(sum(each(images, numbers).item() for each in apart))
    assert "texture=RandomFeatures(" in repr(both) and "texture" not in repr(apart[0])


def test_below_one_a_part_is_enlarged_to_what_the_whole_measures(tmp_path: Path) -> None:
    rows = torch.linspace(0, 1, 16)[None, None, :, None].expand(1, 3, 16, 16)
    torch.manual_seed(0)
    parts = [part_of(rows, 0.5) for _ in range(40)]
    assert {part.shape for part in parts} == {(1, 3, 8, 8)}
    tops = {round(float(part[0, 0, 0, 0]) * 15) for part in parts}
    assert tops == set(range(9)), "every place, none beyond the border"
    loss = loss_of(tmp_path, sizes=[0.5])
    seen: list[Tensor] = []
    loss.features.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    loss(rows, torch.zeros(1))
    assert seen[0].shape == (1, 3, 16, 16)
    assert seen[0][0, 0, :, 0].diff()[1:-1] == pytest.approx(1 / 30, abs=1e-6), "half a row at a time"
    picture = save(tmp_path / "a.png", 0, (8, 8))
    whole = loss_of(tmp_path, sizes=[0.5]).described(picture, 1.0)[0]
    enlarged = torch.nn.functional.interpolate(picture, scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(whole, gram_matrix(loss.activations(enlarged)[0]))


def test_a_folders_style_is_the_mean_over_its_images(tmp_path: Path) -> None:
    pictures = torch.cat([save(tmp_path / "many" / f"{number}.png", number) for number in range(3)])
    loss = loss_of(tmp_path, images={"many": str(tmp_path / "many")}, sizes=[1])
    expected = gram_matrix(loss.activations(pictures)[0]).mean(0)
    assert torch.allclose(loss.get_buffer("target_0")[0], expected, rtol=1e-4)


def test_the_style_loss_of_painters_keeps_to_the_contract(tmp_path: Path) -> None:
    loss = loss_of(tmp_path)
    assert "target_0" not in loss.state_dict(), "checkpoints hold no pictures of styles"
    images = torch.rand(2, 3, 16, 16, requires_grad=True)
    loss(images, torch.tensor([0, 1])).backward()
    assert images.grad is not None and bool(images.grad.abs().amin((1, 2, 3)).gt(0).any())
    assert repr(loss).startswith("StyleImagesLoss(features=") and "sizes=[1, 2]" in repr(loss)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"criterion": "swd"}, "criterion must be gram, moments or sliced"),
        ({"images": {}}, "images must name at least one style"),
        ({"sizes": [0]}, "sizes must be whole numbers of 1 or more"),
        ({"sizes": [0.7]}, r"or 0.5, 0.25 and so on, got \[0.7\]"),
        ({"sizes": [1.5]}, r"or 0.5, 0.25 and so on, got \[1.5\]"),
        ({"enlarge": {"c": 2.0}}, "of styles that images names"),
        ({"enlarge": 0.0}, "enlarge must be above 0"),
        ({"layers": {"relu9": 1.0}}, "has no layer 'relu9'"),
        ({"texture_layers": {"relu1_2": 1.0}}, "give both or neither"),
        ({"texture": RandomFeatures(width=4), "texture_layers": {"relu9": 1.0}}, "texture_layers: .* no layer 'relu9'"),
        ({"texture": RandomFeatures(width=4), "texture_layers": {}}, "texture_layers must name at least one"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        loss_of(tmp_path, **arguments)


def test_a_grid_as_wide_as_a_small_pixel_costs_its_variance_and_a_picture_little() -> None:
    cell = torch.zeros(4, 4)
    cell[::2, ::2] = 0.4  # 4 of 16 places
    grid = cell.repeat(16, 16).expand(1, 3, -1, -1)
    assert LatticeLoss()(grid).item() == pytest.approx(0.16 * (1 / 4) * (3 / 4), rel=1e-5)
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    assert LatticeLoss()(ramp).item() < 1e-3 * LatticeLoss()(grid).item() + 1e-3
    assert LatticeLoss()(torch.full((1, 3, 9, 9), 0.5)).item() == 0
    noise = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    assert LatticeLoss()(noise).item() == pytest.approx(1 / 12 / 64, rel=0.1), "of independent pixels, a window's share"


def test_the_grids_loss_keeps_to_the_contract() -> None:
    check_loss(LatticeLoss(), inputs=[torch.rand(2, 3, 32, 32)])
    assert "period=4, window=8" in repr(LatticeLoss())
    with pytest.raises(UserError, match="at least 2, got 1 and 8"):
        LatticeLoss(period=1)
