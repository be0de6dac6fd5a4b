"""Losses against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from made_up_features import Doubles

from toolbox.io.errors import UserError
from toolbox.io.resize import resize_to
from toolbox.testing import check_loss
from toolbox_plugins.losses.artifact import ArtifactLoss
from toolbox_plugins.losses.perceptual import PerceptualLoss
from toolbox_plugins.losses.pixel import CharbonnierLoss, L1Loss, MSELoss

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


def test_charbonnier_has_a_finite_gradient_where_images_agree():
    prediction = torch.zeros(4, requires_grad=True)
    CharbonnierLoss()(prediction, torch.zeros(4)).backward()
    assert prediction.grad is not None and torch.equal(prediction.grad, torch.zeros(4))


@pytest.mark.parametrize("loss", [L1Loss(), MSELoss(), CharbonnierLoss()])
def test_half_precision_is_compared_in_float32(loss):
    a, b = torch.full((1000,), 100.0, dtype=torch.bfloat16), torch.zeros(1000)
    found = loss(a, b)
    assert found.dtype == torch.float32 and found.item() == pytest.approx(loss(a.float(), b).item())


def test_l1_and_l2_of_named_layers_are_weighted_and_summed():
    prediction, target = torch.full((1, 3, 2, 2), 3.0), torch.full((1, 3, 2, 2), 1.0)
    layers = {"square": 0.5, "twice": 10.0}
    assert PerceptualLoss(features=Doubles(), layers=layers)(prediction, target) == 0.5 * 8 + 10 * 4
    assert PerceptualLoss(features=Doubles(), layers=layers, criterion="l2")(prediction, target) == 0.5 * 64 + 10 * 16


@pytest.mark.parametrize("criterion", ["l1", "l2", "unit"])
def test_plain_places_count_less_and_all_together_as_much(criterion: str) -> None:
    torch.manual_seed(0)
    target = torch.full((1, 3, 64, 96), 0.5)
    target[..., 48:] = torch.rand(1, 1, 64, 48)  # the right half has detail
    loss = PerceptualLoss(features=Doubles(), layers={"twice": 1.0}, criterion=criterion, plain=0.1)
    even = PerceptualLoss(features=Doubles(), layers={"twice": 1.0}, criterion=criterion)
    change = torch.zeros(1, 3, 64, 96)
    change[:, 0] = 0.2
    left, right = change.clone(), change.clone()
    left[..., 32:], right[..., :64] = 0, 0  # as many pixels, far from the border between the halves
    assert 10 * loss(target + left, target) < loss(target + right, target)
    if criterion != "unit":  # whose cost depends on the colour that is changed
        torch.testing.assert_close(loss(target + change, target), even(target + change, target))


def test_where_all_is_alike_plain_changes_nothing_and_small_images_go() -> None:
    for size in (1, 3, 40):
        target, prediction = torch.full((2, 3, size, size), 0.4), torch.rand(2, 3, size, size)
        found = PerceptualLoss(features=Doubles(), layers={"twice": 1.0}, plain=0.1)(prediction, target)
        torch.testing.assert_close(found, PerceptualLoss(features=Doubles(), layers={"twice": 1.0})(prediction, target))


@pytest.mark.parametrize("arguments", [{"plain": -0.1}, {"plain": 0.1, "criterion": "gram"}])
def test_plain_is_of_places_and_no_less_than_0(arguments: dict[str, float | str]) -> None:
    with pytest.raises(UserError, match="plain"):
        PerceptualLoss(features=Doubles(), layers={"twice": 1.0}, **arguments)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("size", [(48, 64), (50, 63), (3, 2)])
def test_a_softened_target_is_what_a_small_picture_knows_of_it(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    prediction, target = torch.rand(2, 2, 3, *size)
    soft = PerceptualLoss(features=Doubles(), layers={"twice": 1.0}, soften=4)
    small = resize_to(target, (max(1, round(size[0] / 4)), max(1, round(size[1] / 4))))
    known = resize_to(small, size).clamp(0, 1)
    assert soft(known, target) == 0
    board = (torch.arange(48)[:, None] + torch.arange(48)) % 2 * torch.ones(1, 3, 1, 1)  # gray, from afar
    assert soft(torch.full((1, 3, 48, 48), 0.5), board) < 1e-3 < soft(board, board)
    torch.testing.assert_close(soft(prediction, target), 2 * (prediction - known).abs().mean())
    assert [images is prediction for _, images, _ in soft.asks(prediction, target)] == [True], "of the target another"
    assert "soften=4" in repr(soft)
    with pytest.raises(UserError, match="soften must be 1 or more, got 0"):
        PerceptualLoss(features=Doubles(), layers={"twice": 1.0}, soften=0)


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
        (
            lambda: PerceptualLoss(features=Doubles(), layers={"twice": 1}, criterion="L1"),
            "must be l1, l2, gram, moments or unit, got 'L1'",
        ),
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
            "PerceptualLoss(features=Doubles(), layers={'twice': 0.1}, criterion='l2', normalize='none')",
        ),
    ],
)
def test_losses_print_like_their_config(loss, text):
    assert repr(loss) == text


def test_losses_have_no_trainable_parameters():
    for loss in (L1Loss(), MSELoss(), CharbonnierLoss(), PERCEPTUAL):
        assert not [p for p in loss.parameters() if p.requires_grad]


def test_the_gram_criterion_is_the_squared_distance_of_the_matrices():
    prediction, target = torch.zeros(1, 3, 1, 2), torch.zeros(1, 3, 1, 2)
    prediction[0, 0] = torch.tensor([1.0, 2.0])  # `twice`: (2, 4), product with itself 20
    prediction[0, 1] = torch.tensor([0.0, 1.0])  # (0, 2): with itself 4, with the first 8
    loss = PerceptualLoss(features=Doubles(), layers={"twice": 3.0}, criterion="gram")
    assert loss(prediction, target).item() == pytest.approx(3 * (20**2 + 4**2 + 2 * 8**2) / 6**2)


def test_a_style_image_may_have_another_size_and_its_places_do_not_matter():
    loss = PerceptualLoss(features=Doubles(), layers={"square": 1.0}, criterion="gram")
    prediction = torch.rand(2, 3, 4, 4)
    shuffled = prediction.flatten(2)[..., torch.randperm(16)].unflatten(2, (2, 8))
    assert loss(prediction, shuffled.repeat(1, 1, 3, 1)).item() == pytest.approx(0, abs=1e-10)
    with pytest.raises(UserError, match=r"got \(2, 3, 4, 4\) and \(1, 3, 8, 8\)"):
        loss(prediction, torch.rand(1, 3, 8, 8))


def test_the_artefact_map_is_the_local_variance_times_a_root_of_the_whole_images():
    target = torch.rand(2, 3, 9, 11, dtype=torch.float64)
    prediction, average = target + torch.randn_like(target) / 10, target + torch.randn_like(target) / 10
    found = ArtifactLoss().artifact_map(prediction, target, average)
    residual, steady = ((target - image).abs().sum(1) for image in (prediction, average))
    rows, columns = ([abs(i) if i < size else 2 * (size - 1) - i for i in range(-3, size + 3)] for size in (9, 11))
    for b, y, x in ((0, 0, 0), (1, 4, 5), (1, 8, 10), (0, 3, 1), (0, 5, 2)):
        patch = residual[b][rows[y : y + 7]][:, columns[x : x + 7]]
        expected = patch.var() * residual[b].var() ** 0.2 if residual[b, y, x] >= steady[b, y, x] else 0.0
        assert found[b, 0, y, x].item() == pytest.approx(float(expected), rel=1e-9)
    assert 0 < (found == 0).double().mean() < 1


def test_an_artefact_costs_what_the_formula_says_and_nothing_where_the_average_is_worse():
    target, prediction = torch.zeros(1, 1, 15, 15), torch.zeros(1, 1, 15, 15)
    prediction[0, 0, 7, 7] = 0.5
    local = (0.25 / 49 - (0.5 / 49) ** 2) * 49 / 48
    whole = (0.25 / 225 - (0.5 / 225) ** 2) * 225 / 224
    expected = 0.5 * local * whole**0.2 / 225
    assert ArtifactLoss()(prediction, target, target).item() == pytest.approx(expected, rel=1e-5)
    assert ArtifactLoss()(prediction, target, prediction * 2).item() == 0
    assert ArtifactLoss()(target, target, prediction).item() == 0


def test_the_artefact_map_is_a_constant_and_flat_residuals_have_a_finite_gradient():
    target, average = torch.rand(2, 2, 3, 8, 8)
    prediction = torch.rand(2, 3, 8, 8, requires_grad=True)
    loss = ArtifactLoss()
    loss(prediction, target, target).backward()
    weights = loss.artifact_map(prediction.detach(), target, target)
    torch.testing.assert_close(prediction.grad, (prediction - target).detach().sign() * weights / target.numel())
    flat = (target + 0.25).requires_grad_()
    loss(flat, target, average).backward()
    assert flat.grad is not None and torch.isfinite(flat.grad).all()


def test_the_artefact_loss_keeps_to_the_contract_and_refuses_wrong_arguments():
    check_loss(ArtifactLoss())
    assert repr(ArtifactLoss(window=5)) == "ArtifactLoss(window=5)"
    for window in (1, 6):
        with pytest.raises(UserError, match=f"window must be odd and at least 3, got {window}"):
            ArtifactLoss(window=window)
    images = torch.rand(1, 3, 3, 8)
    with pytest.raises(UserError, match="images of 8x3 are too small for a window of 7"):
        ArtifactLoss()(images, images, images)
    with pytest.raises(UserError, match="one shape"):
        ArtifactLoss()(images, images, images[:, :1])
