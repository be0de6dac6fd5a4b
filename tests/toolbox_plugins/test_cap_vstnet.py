"""CAP-VSTNet: a network that runs backwards, whitening against numpy, and the styles that prediction takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from toolbox.assembly.loading import TrainedOutput
from toolbox.contracts.network import Encoder
from toolbox.io.errors import UserError
from toolbox.testing import assemble, batch_for, check_encoder, check_training
from toolbox.testing.networks import TinyEncoder
from toolbox_plugins.cap_vstnet.algorithm import CAPVSTNet
from toolbox_plugins.cap_vstnet.network import ReversibleBlock, RevResNet
from toolbox_plugins.cap_vstnet.whitening import EPSILON, cholesky, inverted, moments, transfer
from toolbox_plugins.gan_variants.lsgan import LSGAN

SMALL: dict[str, Any] = {"width": 4, "blocks": [1, 2], "code": 5, "spread": 1}


def covariance(code: Tensor) -> np.ndarray[Any, Any]:
    """Of the one code (1, c, h, w), by numpy."""
    return np.cov(code[0].flatten(1).double().numpy())


# ---------------------------------------------------------------------------------- the network


@pytest.mark.parametrize(
    "arguments", [SMALL, {**SMALL, "spread": 0, "code": 16}, {"width": 4, "blocks": [2, 1, 1], "code": 4}]
)
def test_the_way_back_leads_to_the_image(arguments: dict[str, Any]) -> None:
    network = RevResNet(**arguments)
    images = torch.rand(2, 3, 24, 16)
    code = network(images)
    assert code.shape[1] == network.channels and torch.allclose(network(code, inverse=True), images, atol=1e-5)
    exact = network.double()
    twice = exact(exact(images.double()), inverse=True)
    assert (twice - images).abs().max() < 1e-12


def test_any_code_of_the_networks_own_channels_is_some_image_and_back() -> None:
    network = RevResNet(in_channels=4, width=4, blocks=[1, 1], code=4, spread=1).double()
    images = network(torch.rand(1, 4, 8, 8).double())
    block = network.refinement[0]
    halves = (torch.randn(1, 16, 4, 4).double(), torch.randn(1, 16, 4, 4).double())
    for given, back in zip(halves, block(block(halves), inverse=True), strict=True):
        torch.testing.assert_close(given, back)
    assert images.shape == (1, 8, 8, 8)


def test_a_block_adds_to_one_half_what_it_makes_of_the_other_and_swaps_them() -> None:
    block = ReversibleBlock(8, 4, halving=False)
    first, second = torch.rand(2, 1, 8, 6, 6)
    kept, changed = block((first, second))
    assert torch.equal(kept, second) and torch.allclose(changed, first + block.change(second))
    smaller = ReversibleBlock(32, 4, halving=True)
    kept, changed = smaller((first, second))
    assert kept.shape == changed.shape == (1, 32, 3, 3)
    for given, back in zip((first, second), smaller((kept, changed), inverse=True), strict=True):
        torch.testing.assert_close(given, back)


def test_gradients_pass_both_ways_and_live_in_every_block() -> None:
    network = RevResNet(**SMALL)
    check_encoder(network)
    code = network(torch.rand(1, 3, 8, 8))
    network(code + torch.randn_like(code), inverse=True).square().mean().backward()
    weights = {name: each for name, each in network.named_parameters() if each.dim() > 1}
    still = [name for name, each in weights.items() if each.grad is None or not each.grad.any()]
    assert not still


def test_it_is_of_the_papers_size() -> None:
    with torch.device("meta"):
        for network in (RevResNet(), RevResNet(code=64, spread=1)):
            assert sum(each.numel() for each in network.parameters()) == 4_089_936


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"blocks": [1, 0]}, "blocks must be numbers of 1 or more"),
        ({"in_channels": 5}, "in_channels must be from 1 to width, 4, got 5"),
        ({"spread": 2}, "spread must be from 0 to 1"),
        ({"code": 3}, "code must be at least 4 with spread 1, got 3"),
        ({"narrowing": 5}, "narrowing must be from 1 to width"),
    ],
)
def test_what_it_cannot_be_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        RevResNet(**{**SMALL, **arguments})


# ---------------------------------------------------------------------------------- whitening


def test_factors_and_their_inverses_are_numpys() -> None:
    roots = torch.randn(3, 7, 9, dtype=torch.float64)
    matrices = roots @ roots.mT
    factors = cholesky(matrices)
    np.testing.assert_allclose(factors.numpy(), np.linalg.cholesky(matrices.numpy()), atol=1e-10)
    np.testing.assert_allclose(inverted(factors).numpy(), np.linalg.inv(factors.numpy()), atol=1e-9)
    assert torch.autograd.gradcheck(lambda each: inverted(cholesky(each @ each.mT)), roots.requires_grad_())


def test_a_code_takes_on_the_mean_and_the_covariance_of_the_style() -> None:
    mixing = torch.randn(6, 6)
    code = torch.randn(1, 6, 20, 30)
    style = torch.einsum("ij,bjhw->bihw", mixing, torch.randn(1, 6, 17, 13)) + torch.arange(6)[:, None, None]
    made = transfer(code, moments(code), moments(style))
    np.testing.assert_allclose(covariance(made), covariance(style), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(made.mean((2, 3)), style.mean((2, 3)), atol=1e-4, rtol=1e-4)


def test_it_is_the_whitening_and_colouring_of_a_plain_computation() -> None:
    code, style = torch.randn(2, 5, 6, 7), torch.randn(2, 5, 4, 9) * 3 + 1
    found = transfer(code, moments(code), moments(style)).double()
    for number in range(2):
        own, wanted = (each[number].flatten(1).double().numpy() for each in (code, style))
        factors = [np.linalg.cholesky(np.cov(each) + EPSILON * np.eye(5)) for each in (own, wanted)]
        white = np.linalg.solve(factors[0], own - own.mean(1, keepdims=True))
        plain = factors[1] @ white + wanted.mean(1, keepdims=True)
        np.testing.assert_allclose(found[number].flatten(1).numpy(), plain, atol=1e-4)


def test_strength_goes_straight_from_the_code_to_the_coloured_one() -> None:
    code, style = torch.randn(2, 4, 6, 6), torch.randn(1, 4, 5, 8) + 2
    own, wanted = moments(code), moments(style)
    nothing, half, all_of_it = (transfer(code, own, wanted, torch.tensor([share])) for share in (0.0, 0.5, 1.0))
    torch.testing.assert_close(nothing, code, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(half, (nothing + all_of_it) / 2, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(all_of_it, transfer(code, own, wanted))


def test_a_flat_picture_becomes_the_styles_mean_and_nothing_is_blown_up() -> None:
    flat, style = torch.full((1, 3, 8, 8), 0.4), torch.rand(1, 3, 8, 8)
    made = transfer(flat, moments(flat), moments(style))
    torch.testing.assert_close(made, style.mean((2, 3), keepdim=True).expand_as(made), atol=1e-4, rtol=1e-4)
    noisy = flat + 1e-4 * torch.randn(1, 3, 8, 8)
    assert (transfer(noisy, moments(noisy), moments(style)) - made).abs().max() < 0.1
    flat.requires_grad_()
    transfer(flat, moments(flat), moments(style)).sum().backward()
    assert flat.grad is not None and flat.grad.isfinite().all()


# ---------------------------------------------------------------------------------- the algorithm


def model_of(**networks: nn.Module) -> Any:
    return assemble(CAPVSTNet, LSGAN, networks=networks)


def test_the_paintings_code_has_the_styles_statistics_and_it_trains() -> None:
    model = model_of()
    values = model.data_preprocessor(batch_for(model), True)
    model.translate(values)
    network = model.network
    code, style = network(values["real_a"]), network(values["real_b"])
    coloured = transfer(code, moments(code), moments(style)).detach()
    np.testing.assert_allclose(covariance(coloured[:1]), covariance(style[:1].detach()), rtol=0.02, atol=1e-3)
    torch.testing.assert_close(values["fake_b"], network(coloured, inverse=True))
    again = network(values["fake_b"])
    wanted = network(transfer(again, moments(again), moments(code)), inverse=True)
    torch.testing.assert_close(values["rec_a"], wanted)
    check_training(model)


def test_a_photograph_in_its_own_style_stays_and_comes_back() -> None:
    model = model_of()
    values = {"real_a": torch.rand(2, 3, 16, 24)}
    values["real_b"] = values["real_a"]
    model.translate(values)
    for name in ("fake_b", "rec_a"):
        torch.testing.assert_close(values[name], values["real_a"], atol=1e-4, rtol=0)


def test_without_a_cycle_there_is_no_second_way() -> None:
    model: Any = assemble(CAPVSTNet, LSGAN, losses=False)
    values = model.data_preprocessor(batch_for(model), True)
    model.translate(values)
    assert "rec_a" not in values


def test_strength_0_gives_the_photograph_back_and_1_what_training_makes() -> None:
    model = model_of()
    images, style = torch.rand(2, 3, 17, 23), torch.rand(1, 3, 24, 16)
    nothing = model.predict(images, chosen={"style": style, "strength": 0.0})
    torch.testing.assert_close(nothing, images, atol=1e-4, rtol=0)
    values = {"real_a": images[:, :, :16, :16], "real_b": style.expand(2, -1, -1, -1)}
    model.translate(values)
    painted = model.predict(images[:, :, :16, :16], chosen={"style": style})
    torch.testing.assert_close(painted, values["fake_b"].detach().clamp(0, 1), atol=1e-4, rtol=0)


def test_a_style_of_any_size_serves_a_batch() -> None:
    model = model_of()
    images, style = torch.rand(2, 3, 16, 16), torch.rand(1, 3, 11, 19)
    both = model.predict(images, chosen={"style": style})
    assert torch.allclose(both[1:], model.predict(images[1:], chosen={"style": style[..., :8, :16]}), atol=1e-4)


def test_tiles_agree_by_the_statistics_of_the_whole() -> None:
    network = TrainedOutput(model_of(), chosen={"style": torch.rand(1, 3, 32, 32)}).eval()
    images = torch.rand(1, 3, 96, 96)
    images[..., 48:] *= 0.2
    with torch.no_grad():
        whole, alone = network(images), network(images[..., :64, :64])
        with network.surveying(images):
            part = network(images[..., :64, :64])
    torch.testing.assert_close(part[..., :24, :24], whole[..., :24, :24], atol=1e-4, rtol=0)
    assert (alone - whole[..., :64, :64])[..., :24, :24].abs().mean() > 1e-2


def test_prediction_without_a_picture_or_with_a_tiny_one_is_refused_and_tells_the_way() -> None:
    model = model_of()
    with pytest.raises(UserError, match="--style FILE"):
        model.predict(torch.rand(1, 3, 8, 8))
    with pytest.raises(UserError, match="2x8; it must be 4 pixels each way"):
        model.predict(torch.rand(1, 3, 8, 8), chosen={"style": torch.rand(1, 3, 8, 2)})


class Forgetful(Encoder):
    """Says that it can be undone, and cannot."""

    channels = 3

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor, inverse: bool = False) -> Tensor:
        """Half of what it is given."""
        return self.weight * images / 2


def test_a_network_that_cannot_be_undone_is_refused_when_it_is_built() -> None:
    with pytest.raises(UserError, match="such as RevResNet; TinyEncoder's forward has no argument inverse"):
        model_of(network=TinyEncoder())
    with pytest.raises(UserError, match="Forgetful does not give back the image"):
        model_of(network=Forgetful())
