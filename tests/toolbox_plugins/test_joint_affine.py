"""Published super-resolution under local affine maps of colour: what it computes, what stands still, what tiles see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from toolbox.io.errors import UserError
from toolbox_plugins.joint.affine import AffineSPAN


def network(**arguments: Any) -> AffineSPAN:
    torch.manual_seed(0)
    return AffineSPAN(**{"width": 8, "blocks": 1, "upscaler_width": 8, "scale": 2} | arguments)


def lively(**arguments: Any) -> AffineSPAN:
    """One whose maps and curve recolour."""
    made = network(**arguments)
    for last in (made.maps, made.curve[1]):
        torch.nn.init.normal_(last.weight, std=0.05)
        torch.nn.init.normal_(last.bias, std=0.1)
    return made


def images(batch: int = 2, size: int = 12) -> torch.Tensor:
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("strength", [None, 0, 1.0, torch.tensor([0.3, 1.0])])
def test_it_starts_as_super_resolution_at_every_strength(strength: Any):
    made = network()
    assert torch.allclose(made(images(), strength), made.upscaler(images()), atol=1e-6)


def test_a_small_pixels_map_is_applied_to_its_large_pixels():
    made = network(scale=4).eval()
    maps = torch.randn(1, 12, 3, 5)
    large = torch.rand(1, 3, 12, 20)
    found = made.recoloured(large, maps)[0].detach().numpy()
    enlarged = interpolate(maps, scale_factor=4, mode="bilinear", align_corners=False)[0].numpy()
    colours = large[0].numpy() * 2 - 1
    for row, column in ((0, 0), (5, 7), (11, 19)):
        matrix, offset = enlarged[:9, row, column].reshape(3, 3), enlarged[9:, row, column]
        expected = large[0, :, row, column].numpy() + matrix @ colours[:, row, column] + offset
        assert np.abs(found[:, row, column] - expected).max() < 1e-5


def test_strengths_between_mix_both_ends_each_image_its_own():
    made = lively().eval()
    ends = made(images(), torch.zeros(2)), made(images())
    mixed = made(images(), torch.tensor([0.25, 1.0]))
    assert torch.allclose(mixed[0], torch.lerp(ends[0][0], ends[1][0], 0.25), atol=1e-6)
    assert torch.allclose(mixed[1], ends[1][1], atol=1e-6) and (ends[0] - ends[1]).abs().mean() > 0.01


def test_where_the_picture_is_plain_the_style_draws_nothing():
    """Whatever the maps' network learned: of alike colours under alike maps come alike colours."""
    made = lively(scale=4).eval()
    made.upscaler = Plain()  # pyright: ignore[reportAttributeAccessIssue]
    plain = torch.full((1, 3, 9, 9), 0.4)
    assert made(plain).flatten(2).std(2).max() < 1e-5


class Plain(torch.nn.Module):
    """Stands for a super-resolution that leaves plain areas plain."""

    def enlarged_and_tapped(self, images: torch.Tensor, block: int) -> tuple[torch.Tensor, torch.Tensor]:
        return interpolate(images, scale_factor=4), images.mean() * torch.ones(1, 8, *images.shape[-2:])


def test_the_published_weights_stand_still_and_the_rest_learns():
    made = lively().train()
    made(images(), torch.ones(2)).square().mean().backward()
    assert all(each.grad is None and not each.requires_grad for each in made.upscaler.parameters())
    own = {name: p.grad for name, p in made.named_parameters() if not name.startswith("upscaler.")}
    assert own and all(each is not None and each.abs().sum() > 0 for each in own.values())


def test_the_number_zero_asks_for_no_map(monkeypatch: pytest.MonkeyPatch):
    made = lively()
    monkeypatch.setattr(made, "colour_maps", None)
    assert torch.equal(made(images(), 0), made.upscaler(images()))


def test_tiles_agree():
    made = lively(scale=4).eval()
    whole = images(1, 64)
    middle = made(whole)[..., 100:156, 100:156]
    part = made(whole[..., 4:60, 4:60])[..., 84:140, 84:140]
    assert (middle - part).abs().max() < 1e-4


def test_flattening_is_for_use_and_goes_with_the_strength():
    made, plain = lively(flatten=0.2), lively()
    assert torch.equal(made.train()(images()), plain.train()(images()))
    assert (made.eval()(images()) - plain.eval()(images())).abs().mean() > 1e-3
    assert torch.equal(made(images(), torch.zeros(2)), plain(images(), torch.zeros(2)))


@pytest.mark.parametrize(("arguments", "said"), [
    ({"scale": 3}, "scale must be 1, 2, 4 or 8, got 3"),
    ({"tap": 0}, "tap from 1 to 6, got 8, 8, 1, 0"),
    ({"tap": 7}, "tap from 1 to 6"),
    ({"width": 0}, "above 0"),
    ({"blocks": -1}, "blocks 0 or more"),
    ({"flatten": 1.0}, "flatten must be from 0 to below 1"),
])  # fmt: skip
def test_arguments_out_of_range_are_told(arguments: dict[str, Any], said: str):
    with pytest.raises(UserError, match=said):
        network(**arguments)
