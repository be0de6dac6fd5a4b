"""Losses of styles against values worked out by hand, numpy, and derivatives by differences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_features import Doubles, maps
from PIL import Image
from torch import Tensor

from toolbox.assembly.build import build_component
from toolbox.io.errors import UserError
from toolbox.testing import check_loss
from toolbox_plugins.features.random_features import RandomFeatures
from toolbox_plugins.losses.activation_lists import FeatureMatchingLoss, MomentLoss
from toolbox_plugins.losses.luminance import LowPassLuminanceLoss, luminance
from toolbox_plugins.losses.patch_nce import PatchNCELoss
from toolbox_plugins.losses.perceptual import PerceptualLoss
from toolbox_plugins.losses.regularizers import KLLoss, TotalVariationLoss
from toolbox_plugins.losses.statistics import STATISTICS, instance_normalized
from toolbox_plugins.losses.style_image import StyleImageLoss


def save(path: Path, seed: int = 0, size: tuple[int, int] = (24, 32)) -> np.ndarray:
    """Write a random picture of (height, width); return it in [0, 1]."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels / 255.0


def gram(pixels: np.ndarray, power: int = 1) -> np.ndarray:
    """The Gram matrix of pixels (H, W, c)."""
    rows = pixels.reshape(-1, pixels.shape[-1]) ** power
    return rows.T @ rows / rows.size


# ------------------------------------------------------------------ two images, and what normalisation leaves of them


def test_the_moments_criterion_compares_mean_and_deviation_of_each_channel():
    prediction, target = torch.zeros(1, 3, 1, 2), torch.zeros(1, 3, 2, 2)
    prediction[0, 0] = torch.tensor([1.0, 3.0])  # `twice`: mean 4, deviation 2
    target[0, 1] = torch.tensor([[0.0, 2.0], [2.0, 0.0]])  # mean 2, deviation 2
    loss = PerceptualLoss(features=Doubles(), layers={"twice": 3.0}, criterion="moments")
    assert loss(prediction, target).item() == pytest.approx(3 * ((16 + 4) + (4 + 4)) / 3, rel=1e-2)  # epsilon 1e-5
    assert loss(prediction, prediction.flip(3)).item() == pytest.approx(0, abs=1e-10)


def test_moments_have_a_finite_gradient_where_an_image_is_plain():
    plain = torch.full((1, 3, 8, 8), 0.5, requires_grad=True)
    PerceptualLoss(features=Doubles(), layers={"twice": 1.0}, criterion="moments")(
        plain, torch.rand(1, 3, 8, 8)
    ).backward()
    assert plain.grad is not None and torch.isfinite(plain.grad).all() and plain.grad.abs().sum() > 0


@pytest.mark.parametrize("criterion", ["l1", "l2", "gram", "unit"])
def test_instance_normalisation_takes_away_contrast_and_brightness_of_every_channel(criterion):
    loss = PerceptualLoss(features=Doubles(), layers={"twice": 1.0}, criterion=criterion, normalize="instance")
    raw = PerceptualLoss(features=Doubles(), layers={"twice": 1.0}, criterion=criterion)
    images = torch.rand(2, 3, 8, 8)
    restyled = images * torch.tensor([0.5, 2.0, 3.0])[:, None, None] + torch.rand(2, 3, 1, 1)
    assert loss(images, restyled) < 1e-4 < raw(images, restyled)
    if criterion != "gram":  # which knows no places
        assert loss(images, images.flip(2)) > 0.01


def test_the_domain_invariant_loss_equals_pytorchs_instance_norm():
    a, b = torch.rand(2, 2, 3, 6, 7)
    norm = torch.nn.InstanceNorm2d(3)
    expected = (norm(2 * a) - norm(2 * b)).square().mean()
    loss = PerceptualLoss(features=Doubles(), layers={"twice": 1.0}, criterion="l2", normalize="instance")
    torch.testing.assert_close(loss(a, b), expected)


def test_the_unit_criterion_is_the_distance_of_lpips_without_its_weights():
    features = RandomFeatures(width=4)
    a, b = torch.rand(2, 1, 3, 32, 32)
    expected = 0.0
    for x, y in zip(
        features(a, layers=features.taps).values(), features(b, layers=features.taps).values(), strict=True
    ):
        x, y = x.numpy(), y.numpy()
        length = [np.sqrt((each**2).sum(1, keepdims=True)) + 1e-10 for each in (x, y)]
        expected += float(((x / length[0] - y / length[1]) ** 2).sum(1).mean())
    loss = PerceptualLoss(features=features, layers=dict.fromkeys(features.taps, 1.0), criterion="unit")
    assert loss(a, b).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("criterion", ["l1", "l2", "gram", "moments", "unit"])
def test_every_criterion_works_on_a_network_with_a_live_gradient(criterion):
    features = RandomFeatures(width=4)
    check_loss(PerceptualLoss(features=features, layers={"conv2_1": 1.0, "relu3_3": 0.5}, criterion=criterion))


@pytest.mark.parametrize("name", ["gram", "moments"])
def test_statistics_and_their_differences_have_the_gradient_of_differences(name):
    describe, difference = STATISTICS[name]
    target = describe(torch.randn(2, 3, 2, 5, dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda x: difference(describe(x), target), (maps(2, 3, 3, 4),))
    assert torch.autograd.gradcheck(instance_normalized, (maps(1, 2, 3, 2),))


# ------------------------------------------------------------------ one style image


def test_a_style_images_gram_matrices_are_those_of_numpy(tmp_path):
    style, prediction = save(tmp_path / "style.png"), np.random.default_rng(5).random((10, 12, 3))
    images = torch.from_numpy(prediction).permute(2, 0, 1)[None].float()
    loss = StyleImageLoss(features=Doubles(), image=str(tmp_path / "style.png"), layers={"twice": 2.0, "square": 3.0})
    expected = 2 * ((gram(2 * prediction) - gram(2 * style)) ** 2).sum()
    expected += 3 * ((gram(prediction, 2) - gram(style, 2)) ** 2).sum()
    assert loss(images).item() == pytest.approx(expected, rel=1e-4)
    assert loss(images, torch.rand(1, 3, 4, 4)).item() == loss(images).item(), "the file is the style"
    both = torch.cat([images, images.flip(1)])
    assert loss(both).item() == pytest.approx((loss(images) + loss(images.flip(1))).item() / 2, rel=1e-5)


def test_a_style_image_costs_what_the_perceptual_loss_says_of_the_same_image(tmp_path):
    style = torch.from_numpy(save(tmp_path / "style.png")).permute(2, 0, 1)[None].float()
    features, images = RandomFeatures(width=4), torch.rand(1, 3, 32, 32)
    for criterion in ("gram", "moments"):
        layers = {"relu1_2": 1.0, "relu3_3": 4.0}
        loss = StyleImageLoss(features=features, image=str(tmp_path / "style.png"), layers=layers, criterion=criterion)
        pair = PerceptualLoss(features=features, layers=layers, criterion=criterion)
        torch.testing.assert_close(loss(images), pair(images, style))
        assert loss(style).item() == pytest.approx(0, abs=1e-9)


def test_relative_differences_are_one_for_an_image_without_activations_whatever_the_layer(tmp_path):
    style = save(tmp_path / "style.png")
    options: Any = {"features": Doubles(), "image": str(tmp_path / "style.png"), "relative": True}
    for criterion in ("gram", "moments"):
        layers = {"twice": 1.0, "square": 2.0}
        loss = StyleImageLoss(layers=layers, criterion=criterion, **options)
        assert loss(torch.zeros(2, 3, 4, 4)).item() == pytest.approx(3, rel=1e-2)  # moments have an epsilon
    prediction = np.random.default_rng(5).random((10, 12, 3))
    images = torch.from_numpy(prediction).permute(2, 0, 1)[None].float()
    expected = ((gram(prediction) - gram(style)) ** 2).sum() / (gram(style) ** 2).sum()
    assert StyleImageLoss(layers={"twice": 1.0}, **options)(images).item() == pytest.approx(expected, rel=1e-4)


def test_a_folders_style_is_the_mean_over_its_images_resized_by_their_shorter_side(tmp_path):
    first, second = save(tmp_path / "a.png", 1), save(tmp_path / "b.png", 2, (40, 20))
    loss = StyleImageLoss(features=Doubles(), image=str(tmp_path), layers={"twice": 1.0})
    expected = (gram(2 * first) + gram(2 * second)) / 2
    np.testing.assert_allclose(loss.get_buffer("target_0")[0].numpy(), expected, rtol=1e-5)
    sizes: list[Any] = []

    class Watching(Doubles):
        def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
            sizes.append(tuple(images.shape[-2:]))
            return super().forward(images, layers)

    loss = StyleImageLoss(features=Watching(), image=str(tmp_path), layers={"twice": 1.0}, size=12)
    assert sizes == [(12, 16), (24, 12)]
    loss(torch.rand(1, 3, 8, 8))
    assert len(sizes) == 3, "the style is measured once"


def test_the_styles_statistics_follow_the_module_and_stay_out_of_checkpoints(tmp_path):
    save(tmp_path / "style.png")
    loss = StyleImageLoss(features=Doubles(), image=str(tmp_path / "style.png"), layers={"twice": 1.0})
    assert not loss.state_dict() and not list(loss.parameters())
    assert loss.to("meta").get_buffer("target_0").device.type == "meta"


def test_one_style_image_pulls_pixels_to_its_statistics(tmp_path):
    save(tmp_path / "style.png")
    loss = StyleImageLoss(
        features=RandomFeatures(width=4), image=str(tmp_path / "style.png"), layers={"relu1_2": 1.0, "relu2_2": 1.0}
    )
    images = torch.full((1, 3, 24, 24), 0.5).add_(torch.rand(1, 3, 24, 24) / 100).requires_grad_()
    optimizer = torch.optim.Adam([images], 0.05)
    before = loss(images).item()
    for _ in range(25):
        optimizer.zero_grad()
        loss(images).backward()
        optimizer.step()
    assert loss(images).item() < before / 4


def test_a_style_loss_is_built_from_a_config_with_johnsons_layers(tmp_path):
    save(tmp_path / "style.png")
    config = {"type": "StyleImageLoss", "image": str(tmp_path / "style.png"), "size": 16}
    config["features"] = {"type": "RandomFeatures", "width": 2}
    loss = build_component("losses", config, "model.losses.style")
    assert list(loss.layers) == ["relu1_2", "relu2_2", "relu3_3", "relu4_3"]
    assert f"image={config['image']!r}" in repr(loss) and "criterion='gram', relative=False)" in repr(loss)


# ------------------------------------------------------------------ contract


@pytest.mark.parametrize(
    "loss", [TotalVariationLoss(), TotalVariationLoss(power=1), KLLoss(), LowPassLuminanceLoss(), FeatureMatchingLoss()]
)
def test_losses_keep_to_the_contract(loss):
    check_loss(loss)
    assert not list(loss.parameters())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: PerceptualLoss(features=Doubles(), layers={"twice": 1}, normalize="batch"),
            "none or instance, got 'batch'",
        ),
        (
            lambda: PerceptualLoss(features=Doubles(), layers={"twice": 1}, criterion="moments", normalize="instance"),
            "normalize: instance makes all moments equal",
        ),
        (lambda: StyleImageLoss(features=Doubles(), image="x.png"), "Doubles has no layer 'relu1_2'"),
        (lambda: StyleImageLoss(features=Doubles(), image="x.png", layers={"twice": 1}), "x.png: no such file"),
        (
            lambda: StyleImageLoss(features=Doubles(), image="x.png", layers={"twice": 1}, criterion="l2"),
            "criterion must be gram or moments, got 'l2'",
        ),
        (
            lambda: StyleImageLoss(features=Doubles(), image="x.png", layers={"twice": 1}, size=0),
            "size must be at least 1 pixel, got 0",
        ),
        (lambda: PatchNCELoss(temperature=0), "temperature must be above 0, got 0"),
        (lambda: TotalVariationLoss(power=3), "power must be 1 or 2, got 3"),
        (lambda: LowPassLuminanceLoss(radius=-1), "radius must be 0 or more pixels, got -1"),
        (lambda: luminance(torch.rand(1, 4, 2, 2)), "images with 1 or 3 channels, got 4"),
        (lambda: PatchNCELoss()([torch.rand(1, 2, 3)], []), "as many layers of one as of the other, got 1 and 0"),
        (lambda: FeatureMatchingLoss()([], []), "as many layers of one as of the other, got 0 and 0"),
        (
            lambda: PatchNCELoss()([torch.rand(1, 2, 3, 4)], [torch.rand(1, 2, 3, 4)]),
            r"\(B, N, C\).*got \(1, 2, 3, 4\)",
        ),
        (lambda: MomentLoss()([torch.rand(1, 2, 3, 4)], [torch.rand(1, 3, 3, 4)]), r"got \(1, 2, 3, 4\) and \(1, 3"),
    ],
)
def test_wrong_arguments_and_values_are_refused_in_one_line(make, message):
    with pytest.raises(UserError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (PatchNCELoss(), "PatchNCELoss(temperature=0.07)"),
        (TotalVariationLoss(power=1), "TotalVariationLoss(power=1)"),
        (LowPassLuminanceLoss(radius=3), "LowPassLuminanceLoss(radius=3)"),
        (KLLoss(), "KLLoss()"),
    ],
)
def test_losses_print_like_their_config(loss, text):
    assert repr(loss) == text
