"""DISTS against its formula, worked with functions alone and made-up weights.

No published figure is checked: VGG16's official weights cannot be committed, and tests download nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox import MissingWeights
from toolbox.io.errors import UserError
from toolbox.testing import check_loss
from toolbox_plugins.dists import similarity
from toolbox_plugins.dists.loss import DISTSLoss
from toolbox_plugins.dists.metric import DISTS
from toolbox_plugins.dists.similarity import CHANNELS, SmoothPool, SmoothVGG16

BLOCKS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
"""torchvision's places of the convolutions."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Files of VGG16 and of DISTS as they are published, with made-up numbers."""
    folder = tmp_path_factory.mktemp("dists")
    rng = torch.Generator().manual_seed(0)
    state, into = {}, 3
    for width, places in zip(CHANNELS[1:], BLOCKS, strict=True):
        for place in places:
            weight = torch.empty(width, into, 3, 3).normal_(0, (2 / (9 * into)) ** 0.5, generator=rng)
            state |= {f"features.{place}.weight": weight, f"features.{place}.bias": torch.full((width,), 0.01)}
            into = width
    torch.save(state, folder / "vgg16.pth")
    heads = {name: torch.rand(1, sum(CHANNELS), 1, 1, generator=rng) for name in ("alpha", "beta")}
    torch.save(heads, folder / "weights.pt")
    return str(folder / "vgg16.pth"), str(folder / "weights.pt")


def stages(state: dict[str, Tensor], image: Tensor) -> list[Tensor]:
    """The image and the last ReLU of each block; windows of a Hanning filter one after the other."""
    x = (image - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    found = [image.double()]
    window = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
    x = x[None]
    for number, places in enumerate(BLOCKS):
        if number:
            patches = F.unfold(x.square().transpose(0, 1), 3, stride=2, padding=1)  # (c, 9, n)
            smooth = (patches * window.reshape(1, 9, 1)).sum(1)
            x = (smooth + 1e-12).sqrt().reshape(1, x.shape[1], -(-x.shape[2] // 2), -(-x.shape[3] // 2))
        for place in places:
            x = F.conv2d(x, state[f"features.{place}.weight"], state[f"features.{place}.bias"], padding=1).clamp(min=0)
        found.append(x[0].double())
    return found


def test_both_are_the_formula_worked_with_functions_alone(files: tuple[str, str]) -> None:
    state, heads = (torch.load(file, weights_only=True) for file in files)
    first, second = torch.rand(2, 3, 37, 50, generator=torch.Generator().manual_seed(1))
    total = float(heads["alpha"].sum() + heads["beta"].sum())
    score, place = 0.0, 0
    for x, y in zip(stages(state, first), stages(state, second), strict=True):
        for a, b in zip(x.flatten(1), y.flatten(1), strict=True):
            covariance = ((a - a.mean()) * (b - b.mean())).mean()
            texture = (2 * a.mean() * b.mean() + 1e-6) / (a.mean() ** 2 + b.mean() ** 2 + 1e-6)
            structure = (2 * covariance + 1e-6) / (a.var(correction=0) + b.var(correction=0) + 1e-6)
            score += float(heads["alpha"][0, place] * texture + heads["beta"][0, place] * structure) / total
            place += 1
    metric = DISTS(prediction="sr", reference="hr", weights=files[0], heads=files[1], quantize=False)
    assert metric.measure(first, second) == pytest.approx(1 - score, abs=1e-5) and 1 - score > 0.01
    assert metric.measure(first, first) == pytest.approx(0, abs=1e-6)
    assert metric.protocol == "dists[RGB,crop0,float,vgg16,fullsize]" and not metric.higher_is_better
    loss = DISTSLoss(weights=files[0], heads=files[1])
    batch = torch.stack([first, second]), torch.stack([second, second])
    assert float(loss(*batch)) == pytest.approx((1 - score) / 2, abs=1e-5)
    check_loss(loss)


def test_the_pooling_keeps_a_constant_inside_and_halves_sizes_upwards() -> None:
    made = SmoothPool()(torch.full((1, 2, 7, 10), 3.0))
    assert made.shape == (1, 2, 4, 5)
    torch.testing.assert_close(made[..., 1:-1, 1:], torch.full((1, 2, 2, 4), 3.0))


def test_the_network_names_the_image_a_layer(files: tuple[str, str]) -> None:
    images = torch.rand(1, 3, 16, 16)
    found = SmoothVGG16(weights=files[0])(images, layers=["relu1_2", "image"])
    assert list(found) == ["relu1_2", "image"] and found["image"] is images


def test_files_that_are_missing_or_others_are_named(files: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="is no file of DISTS, it lacks alpha"):
        DISTSLoss(weights=files[0], heads=files[0])
    monkeypatch.setattr(similarity, "packaged_file", lambda package, member: None)
    with pytest.raises(MissingWeights, match="pip install --no-deps dists-pytorch, or give heads"):
        DISTSLoss(weights=files[0])


def test_the_packages_weights_are_the_published_ones(files: tuple[str, str], tmp_path: Path, monkeypatch) -> None:
    file = similarity.packaged_file("DISTS_pytorch", "weights.pt")
    if file is None:
        pytest.skip("dists-pytorch is not installed")
    weights = similarity.channel_weights(None)
    assert weights.shape == (2, 1475) and float(weights.min()) >= 0
    assert weights.sum(1).tolist() == pytest.approx([0.876, 0.124], abs=5e-4)
