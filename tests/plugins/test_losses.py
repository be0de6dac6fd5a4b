"""Losses against values worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from toolbox.errors import UserError
from toolbox.network import FeatureNetwork
from toolbox_plugins.losses.perceptual import PerceptualLoss
from toolbox_plugins.losses.pixel import CharbonnierLoss, L1Loss, MSELoss


class Doubles(FeatureNetwork):
    """Layer `twice` is 2x, layer `square` is x^2: distances can be worked out by hand."""

    layers: Sequence[str] = ("twice", "square")

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []

    def forward(self, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        self.asked.append(list(layers))
        return {layer: images * 2 if layer == "twice" else images.square() for layer in layers}

    def __repr__(self) -> str:
        return "Doubles()"


PREDICTION, TARGET = torch.tensor([[0.0, 1.0], [3.0, -1.0]]), torch.tensor([[0.0, 3.0], [0.0, -2.0]])


@pytest.mark.parametrize(
    ("loss", "value"),
    [
        (L1Loss(), (0 + 2 + 3 + 1) / 4),
        (MSELoss(), (0 + 4 + 9 + 1) / 4),
        (CharbonnierLoss(), (1e-6 + 2 + 3 + 1) / 4),
        (CharbonnierLoss(eps=16.0), (4 + math.sqrt(20) + 5 + math.sqrt(17)) / 4),
    ],
)
def test_values_are_those_worked_out_by_hand(loss, value):
    found = loss(PREDICTION, TARGET)
    assert found.shape == () and found.dtype == torch.float32
    assert found.item() == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("loss", [L1Loss(), MSELoss(), CharbonnierLoss()])
def test_half_precision_is_compared_in_float32(loss):
    a, b = torch.full((1000,), 100.0, dtype=torch.bfloat16), torch.zeros(1000)
    found = loss(a, b)
    assert found.dtype == torch.float32 and found.item() == pytest.approx(loss(a.float(), b).item())


def test_charbonnier_has_a_finite_gradient_where_images_agree():
    prediction = torch.zeros(4, requires_grad=True)
    CharbonnierLoss()(prediction, torch.zeros(4)).backward()
    assert prediction.grad is not None and torch.equal(prediction.grad, torch.zeros(4))


def test_l1_and_l2_of_named_layers_are_weighted_and_summed():
    prediction, target = torch.full((1, 3, 2, 2), 3.0), torch.full((1, 3, 2, 2), 1.0)
    layers = {"square": 0.5, "twice": 10.0}
    assert PerceptualLoss(features=Doubles(), layers=layers)(prediction, target) == 0.5 * 8 + 10 * 4
    assert PerceptualLoss(features=Doubles(), layers=layers, criterion="l2")(prediction, target) == 0.5 * 64 + 10 * 16


def test_the_perceptual_gradient_reaches_the_prediction_and_never_the_target():
    features = Doubles()
    prediction = torch.full((1, 3, 2, 2), 3.0, requires_grad=True)
    target = torch.full((1, 3, 2, 2), 1.0, requires_grad=True)
    loss = PerceptualLoss(features=features, layers={"square": 1.0})(prediction, target)
    loss.backward()
    assert prediction.grad is not None and target.grad is None
    torch.testing.assert_close(prediction.grad, torch.full_like(prediction, 6.0 / 12))  # d/dx mean |x^2 - 1|
    assert features.asked == [["square"], ["square"]] and loss.dtype == torch.float32


def test_the_default_is_esrgans_layer():
    class Named(Doubles):
        layers = ("conv5_4",)

    loss = PerceptualLoss(features=Named())
    assert (loss.layers, loss.criterion) == ({"conv5_4": 1.0}, "l1")
    PerceptualLoss(features=Named()).layers["more"] = 1.0
    assert loss.layers == {"conv5_4": 1.0}, "one loss's layers are not another's"


PERCEPTUAL = PerceptualLoss(features=Doubles(), layers={"twice": 1.0})


@pytest.mark.parametrize("loss", [L1Loss(), MSELoss(), CharbonnierLoss(), PERCEPTUAL])
def test_shapes_that_would_broadcast_are_refused(loss):
    with pytest.raises(UserError, match=r"got \(2, 3, 4, 4\) and \(2, 1, 4, 4\)"):
        loss(torch.rand(2, 3, 4, 4), torch.rand(2, 1, 4, 4))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CharbonnierLoss(eps=0), "eps must be above 0, got 0"),
        (lambda: PerceptualLoss(features=Doubles(), layers={"sqare": 1.0}), "no layer 'sqare'; did you mean 'square'"),
        (lambda: PerceptualLoss(features=Doubles()), "Doubles has no layer 'conv5_4'"),
        (lambda: PerceptualLoss(features=Doubles(), layers={}), "at least one layer"),
        (
            lambda: PerceptualLoss(features=Doubles(), layers={"twice": 0}),
            "twice must be a weight above 0, got 0",
        ),
        (lambda: PerceptualLoss(features=Doubles(), layers={"twice": 1}, criterion="L1"), "must be l1 or l2, got 'L1'"),
    ],
)
def test_wrong_arguments_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (L1Loss(), "L1Loss()"),
        (CharbonnierLoss(eps=1e-3), "CharbonnierLoss(eps=0.001)"),
        (
            PerceptualLoss(features=Doubles(), layers={"twice": 0.1}, criterion="l2"),
            "PerceptualLoss(features=Doubles(), layers={'twice': 0.1}, criterion='l2')",
        ),
    ],
)
def test_losses_print_like_their_config(loss, text):
    assert repr(loss) == text


def test_losses_have_no_trainable_parameters():
    for loss in (L1Loss(), MSELoss(), CharbonnierLoss(), PERCEPTUAL):
        assert not [p for p in loss.parameters() if p.requires_grad]
