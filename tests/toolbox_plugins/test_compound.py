"""Compound regularisation: what moves with its picture is free, what does not is paid; unasked, nothing is computed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from toolbox import Algorithm, UserError
from toolbox.testing import assemble
from toolbox.testing.components import images
from toolbox.testing.objective import LeastSquares
from toolbox.testing.training import batch_for, optimizers_for
from toolbox.training.parts import WeightedLoss
from toolbox_plugins.compound.loss import CompoundRegularization, smooth
from toolbox_plugins.cut.algorithm import CUT
from toolbox_plugins.cyclegan.algorithm import CycleGAN
from toolbox_plugins.joint.algorithm import StyleSuperResolution
from toolbox_plugins.neural_style.algorithm import NeuralStyle
from toolbox_plugins.painter.algorithm import PaintedSuperResolution
from toolbox_plugins.srgan.algorithm import SRGAN

CALLS = {CycleGAN: 2, CUT: 1, StyleSuperResolution: 1, NeuralStyle: 1, PaintedSuperResolution: 1, SRGAN: 1}
"""Passes of a generator that the role `temporal` adds."""


def test_a_network_that_moves_with_its_picture_pays_nothing_for_steps_of_whole_pixels() -> None:
    loss, picture = CompoundRegularization(shift=4, bend=0, noise=0), images(2, 3, 32, 32)
    assert loss(torch.square, picture, picture.square()).item() == pytest.approx(0, abs=1e-9)


def test_a_pattern_that_stays_in_its_place_is_paid_and_a_doubled_pattern_four_times() -> None:
    torch.manual_seed(1)
    pattern = 0.1 * (torch.rand(1, 1, 32, 32) - 0.5)
    paid = []
    for times in (1, 2):
        torch.manual_seed(2)
        loss = CompoundRegularization(shift=4, bend=0, noise=0)
        paid.append(loss(lambda x, t=times: x + t * pattern, images(2), images(2) + times * pattern).item())
    assert paid[0] > 1e-4 and paid[1] == pytest.approx(4 * paid[0], rel=1e-3)


def test_of_an_enlarger_the_result_moves_by_as_much_more() -> None:
    double = nn.Upsample(scale_factor=2)
    loss, picture = CompoundRegularization(shift=3, bend=0, noise=0), images(2)
    assert loss(double, picture, double(picture)).item() == pytest.approx(0, abs=1e-9)


def test_noise_and_light_are_what_a_result_shall_not_follow() -> None:
    picture = images(4)
    for name, value in (("noise", 0.1), ("light", 0.2)):
        loss = CompoundRegularization(**{"shift": 0, "bend": 0, "noise": 0.0, name: value})
        assert loss(lambda x: x, picture, picture) > 1e-5
        assert loss(torch.zeros_like, picture, 0 * picture) == 0


def test_a_smooth_field_keeps_the_value_of_equal_points() -> None:
    assert torch.allclose(smooth(torch.full((1, 2, 3, 3), 0.7), 40, 50), torch.full((1, 2, 40, 50), 0.7))


def test_both_the_old_and_the_new_result_get_a_gradient() -> None:
    picture, weight = images(2), torch.ones((), requires_grad=True)
    made = (picture * 0.5).requires_grad_()
    CompoundRegularization()(lambda x: x * weight, picture, made).backward()
    assert weight.grad is not None and weight.grad != 0
    assert made.grad is not None and made.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", CALLS, ids=lambda kind: kind.__name__)
def test_an_algorithm_gains_it_by_one_role_and_pays_nothing_without(kind: type[Algorithm]) -> None:
    losses = [WeightedLoss("CompoundRegularization", CompoundRegularization(shift=2), 10.0)]
    counts: dict[bool, int] = {}
    for asked in (False, True):
        algorithm = assemble(kind, LeastSquares, losses=False)
        if asked:
            algorithm.parts.losses["temporal"] = losses
        calls = 0

        def count(*_: object) -> None:
            nonlocal calls
            calls += 1

        for slot in algorithm.generators:
            getattr(algorithm, slot).register_forward_hook(count)
        logs = algorithm.train_step(batch_for(algorithm), optimizers_for(algorithm))
        counts[asked] = calls
        assert ("g/temporal" in logs) == asked and all(bool(torch.isfinite(value)) for value in logs.values())
    assert counts[True] - counts[False] == CALLS[kind]


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(UserError, match="bend must be 0 or more, got -1"):
        CompoundRegularization(bend=-1)
    with pytest.raises(UserError, match="nothing is asked for; leave the loss out"):
        CompoundRegularization(shift=0, bend=0, noise=0)


def test_a_result_of_another_type_is_compared_in_float32() -> None:
    picture: Tensor = images(1)
    assert CompoundRegularization()(lambda x: x.bfloat16(), picture, picture.bfloat16()).dtype == torch.float32
