"""The filter that flattens: what it keeps, what it smooths, and where a network uses it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from toolbox.io.errors import UserError
from toolbox_plugins.joint.compact import StyleSRNet
from toolbox_plugins.joint.flatten import flatten


def test_grain_is_smoothed_and_an_edge_stays():
    torch.manual_seed(0)
    step = torch.zeros(1, 3, 32, 32)
    step[..., 16:] = 0.6
    step = step + 0.2
    grain = 0.01 * torch.randn_like(step)
    flat = flatten(step + grain, 0.05, scale=2)
    away = torch.cat([flat[..., 4:12] - 0.2, flat[..., 20:28] - 0.8])
    assert away.std() < 0.35 * grain.std()
    jump = flat[..., 16] - flat[..., 15]
    assert (jump - 0.6).abs().max() < 0.15 and abs(float(jump.mean()) - 0.6) < 0.12  # a mean of six pixels leaves 0.1


def test_it_is_the_guided_filter_of_the_image_made_small():
    rng = np.random.default_rng(0)
    image = rng.random((10, 12))
    small = image.reshape(5, 2, 6, 2).mean((1, 3))

    def box(values):
        rows, columns = (range(size) for size in values.shape)
        return np.array([[values[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2].mean() for j in columns] for i in rows])

    mean = box(small)
    variance = box(small**2) - mean**2
    slope = variance / (variance + 0.2**2)

    def enlarged(values):
        at = [np.clip((np.arange(2 * n) + 0.5) / 2 - 0.5, 0, n - 1) for n in values.shape]
        rows = np.array([np.interp(at[0], np.arange(values.shape[0]), column) for column in values.T]).T
        return np.array([np.interp(at[1], np.arange(values.shape[1]), row) for row in rows])

    expected = enlarged(box(slope)) * image + enlarged(box(mean * (1 - slope)))
    found = flatten(torch.from_numpy(image)[None, None], 0.2, scale=2)[0, 0].numpy()
    assert np.abs(found - expected).max() < 1e-6


def test_a_screen_door_of_sub_pixels_is_smoothed_however_strong():
    door = torch.full((1, 3, 32, 32), 0.5)
    door[..., ::4, :] += 0.3
    assert flatten(door, 0.03, scale=4).std() < 1e-3 < door.std()


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (16, 9)])
def test_any_size_and_precision_is_taken_and_a_plain_area_stays(size):
    plain = torch.full((2, 3, 2 * size[0], 2 * size[1]), 0.4, dtype=torch.bfloat16)
    flat = flatten(plain, 0.03, scale=2)
    assert flat.shape == plain.shape and flat.dtype == torch.float32
    assert (flat - plain.float()).abs().max() < 1e-5


def test_a_network_flattens_by_its_strength_and_never_in_training():
    torch.manual_seed(0)
    network = StyleSRNet(width=8, blocks=1, fine=4, scale=2, flatten=0.1)
    plain = StyleSRNet(width=8, blocks=1, fine=4, scale=2)
    nn.init.normal_(network.last.weight, std=0.05)
    plain.load_state_dict(network.state_dict())  # it has no parameters
    images, strengths = torch.rand(3, 3, 8, 8), torch.tensor([0.0, 0.5, 1.0])
    assert torch.equal(network(images, strengths), plain(images, strengths))
    drawn, flat = plain.eval()(images, strengths), network.eval()(images, strengths)
    assert torch.equal(flat[0], drawn[0]) and (flat[2] - drawn[2]).abs().max() > 1e-3
    expected = torch.lerp(drawn, flatten(drawn, 0.1, scale=2), strengths[:, None, None, None])
    assert torch.allclose(flat, expected, atol=1e-6)


@pytest.mark.parametrize("deviation", [-0.1, 1.0])
def test_a_deviation_outside_of_images_is_refused(deviation):
    with pytest.raises(UserError, match=f"flatten must be from 0 to below 1.*got {deviation}"):
        StyleSRNet(flatten=deviation)
