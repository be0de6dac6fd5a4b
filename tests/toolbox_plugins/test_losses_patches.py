"""Losses of lists and of single values: patches, activations, codes, smoothness and luminance."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from made_up_features import Doubles, maps
from torch import nn

from toolbox.io.errors import UserError
from toolbox.training.precision import at_precision, networks_in
from toolbox_plugins.losses.activation_lists import FeatureMatchingLoss, MomentLoss
from toolbox_plugins.losses.luminance import LowPassLuminanceLoss, luminance
from toolbox_plugins.losses.patch_nce import PatchNCELoss
from toolbox_plugins.losses.perceptual import PerceptualLoss
from toolbox_plugins.losses.regularizers import KLLoss, TotalVariationLoss

# ------------------------------------------------------------------ lists: patches and activations


def test_patch_nce_is_the_cross_entropy_worked_out_with_numpy():
    layers = [(2, 5, 4), (2, 3, 6)]
    queries, keys = ([torch.randn(*shape) for shape in layers] for _ in range(2))
    expected = []
    for query, key in zip(queries, keys, strict=True):
        rows = []
        for image in range(2):
            for place in range(query.shape[1]):
                scores = np.exp((key[image].double().numpy() @ query[image, place].double().numpy()) / 0.07)
                rows.append(-math.log(scores[place] / scores.sum()))
        expected.append(np.mean(rows))
    assert PatchNCELoss()(queries, keys).item() == pytest.approx(np.mean(expected), rel=1e-5)


def test_patches_that_look_alike_cost_log_n_and_those_that_differ_nothing():
    same = torch.ones(2, 8, 4)
    assert PatchNCELoss()([same], [same]).item() == pytest.approx(math.log(8))
    apart = torch.eye(8).expand(2, 8, 8)
    assert PatchNCELoss()([apart], [apart]).item() == pytest.approx(7 * math.exp(-1 / 0.07), rel=0.2)
    assert PatchNCELoss()([apart], [apart.roll(1, 1)]).item() == pytest.approx(1 / 0.07, rel=1e-3)


def test_negatives_are_those_of_the_same_image():
    queries, keys = torch.randn(2, 2, 5, 4)
    loss = PatchNCELoss(temperature=1.0)
    alone = [loss([queries[i : i + 1]], [keys[i : i + 1]]).item() for i in range(2)]
    assert loss([queries], [keys]).item() == pytest.approx(sum(alone) / 2, rel=1e-6)


def test_the_gradient_of_patch_nce_reaches_the_queries_and_never_the_keys():
    query, key = maps(1, 4, 3), maps(1, 4, 3)
    PatchNCELoss()([query], [key]).backward()
    assert query.grad is not None and key.grad is None
    assert torch.autograd.gradcheck(lambda x: PatchNCELoss(temperature=0.5)([x], [key]), (maps(1, 4, 3),))


def test_feature_matching_is_the_mean_over_layers_of_the_mean_difference():
    fake, real = (
        [torch.zeros(1, 2, 2, 2), torch.zeros(1, 1, 1, 1)],
        [torch.ones(1, 2, 2, 2), torch.full((1, 1, 1, 1), 5.0)],
    )
    assert FeatureMatchingLoss()(fake, real).item() == (1 + 5) / 2
    live, target = maps(1, 2, 3, 3), maps(1, 2, 3, 3)
    FeatureMatchingLoss()([live], [target]).backward()
    assert live.grad is not None and target.grad is None


def test_moments_of_lists_are_those_of_the_perceptual_loss():
    output, style = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 5, 6)
    features = Doubles()
    pair = PerceptualLoss(features=features, layers={"twice": 1.0, "square": 1.0}, criterion="moments")
    lists = [list(features(images, layers=features.layers).values()) for images in (output, style)]
    torch.testing.assert_close(MomentLoss()(*lists), pair(output, style))
    style.requires_grad_()
    live = maps(2, 3, 4, 4)
    MomentLoss()([live], [style]).backward()
    assert live.grad is not None and style.grad is None


def test_moments_of_lists_have_the_gradient_of_differences():
    style = torch.randn(2, 3, 2, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: MomentLoss()([x], [style]), (maps(2, 3, 3, 2),))


# ------------------------------------------------------------------ one value, and luminance


@pytest.mark.parametrize(("power", "expected"), [(1, (1 + 3 + 4 + 6) / 4), (2, (1 + 9 + 16 + 36) / 4)])
def test_total_variation_is_worked_out_by_hand(power, expected):
    images = torch.tensor([[[[0.0, 1.0], [4.0, 7.0]]]])  # to the right 1 and 3, below 4 and 6
    assert TotalVariationLoss(power=power)(images).item() == expected
    row = images[..., :1, :]
    assert TotalVariationLoss(power=1)(row).item() == 1 / 2, "a single row has no neighbours below"


def test_total_variation_of_published_scale_is_its_sum_over_pixels():
    images = torch.rand(1, 3, 5, 7)
    scaled = images[0].double().numpy() * 255
    total = (np.diff(scaled, axis=1) ** 2).sum() + (np.diff(scaled, axis=2) ** 2).sum()
    assert TotalVariationLoss()(images).item() * images.numel() * 255**2 == pytest.approx(total, rel=1e-5)
    assert torch.autograd.gradcheck(TotalVariationLoss(), (maps(2, 2, 3, 4),))


def test_the_kl_loss_is_the_mean_square():
    assert KLLoss()(torch.tensor([[1.0, -3.0]])).item() == 5.0
    encoder = at_precision(nn.Linear(1, 4, bias=False))
    nn.init.constant_(encoder.weight, 300.0)
    with networks_in(torch.float16):
        assert KLLoss()(encoder(torch.ones(1, 1))).item() == 90_000.0, "float16 would overflow"
    assert torch.autograd.gradcheck(KLLoss(), (maps(2, 3),))


def test_luminance_is_rec601s_and_gray_stays_gray():
    colors = torch.eye(3)[:, :, None, None]
    assert luminance(colors).flatten().tolist() == pytest.approx([0.299, 0.587, 0.114])
    gray = torch.rand(2, 1, 3, 3)
    assert luminance(gray) is gray


def test_low_passed_luminance_forgets_colour_and_texture_and_never_inversion():
    images = torch.rand(1, 3, 32, 32) / 10 + torch.linspace(0, 0.8, 32)
    loss, exact = LowPassLuminanceLoss(), LowPassLuminanceLoss(radius=0)
    gray = luminance(images).expand_as(images)
    assert exact(gray, images).item() == pytest.approx(0, abs=1e-6)
    checks = (torch.arange(32)[:, None] + torch.arange(32)) % 2 - 0.5
    assert loss(images + 0.4 * checks, images) < 0.03 < 0.19 < exact(images + 0.4 * checks, images)
    assert loss(1 - images, images) > 0.1


def test_low_passed_luminance_is_the_mean_over_windows_cut_at_the_border():
    light, other = torch.rand(2, 1, 1, 6, 7, dtype=torch.float64)
    difference, expected = (light - other)[0, 0].numpy(), []
    for y in range(6):
        for x in range(7):
            expected.append(abs(difference[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].mean()))
    assert LowPassLuminanceLoss(radius=2)(light, other).item() == pytest.approx(np.mean(expected))
    assert torch.autograd.gradcheck(lambda x: LowPassLuminanceLoss(radius=1)(x, other), (maps(1, 3, 6, 7),))


def test_a_larger_output_is_averaged_down_to_its_input():
    images = torch.rand(1, 3, 8, 6)
    larger = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert LowPassLuminanceLoss(radius=0)(larger, images).item() == pytest.approx(0, abs=1e-6)
    with pytest.raises(UserError, match=r"one shape, got \(1, 1, 8, 6\) and \(1, 1, 8, 5\)"):
        LowPassLuminanceLoss()(images, images[..., :5])
