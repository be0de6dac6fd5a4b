"""MetaGAN's discriminator: its blocks worked out by hand, its two heads, and penalties on top of it."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from toolbox.io.errors import UserError
from toolbox.plugins.registry import registry
from toolbox.testing import check_discriminator
from toolbox_plugins.meta_gan.discriminator import GatedBlock, MetaGANDiscriminator, Scaled, SparseDepthwise

SMALL = {"widths": [8, 16], "blocks": [1, 1]}


def test_it_keeps_to_the_contract() -> None:
    check_discriminator(MetaGANDiscriminator(**SMALL))
    check_discriminator(MetaGANDiscriminator(**SMALL, pooled=False))


def test_it_gives_one_verdict_or_one_for_each_place() -> None:
    images = torch.rand(2, 3, 33, 40)
    assert MetaGANDiscriminator(**SMALL)(images)[0].shape == (2, 1)
    assert MetaGANDiscriminator(**SMALL, pooled=False)(images)[0].shape == (2, 1, 5, 5)


def test_the_norm_is_torchs() -> None:
    features = torch.randn(2, 3, 4, 8)
    torch.testing.assert_close(Scaled(8)(features), F.rms_norm(features, (8,), eps=1e-6))


def test_five_of_eight_channels_pass_and_one_sees_its_row() -> None:
    depthwise = SparseDepthwise(8)
    for conv in depthwise.convs:
        torch.nn.init.ones_(conv.weight)
        torch.nn.init.zeros_(conv.bias)
    dot = torch.zeros(1, 8, 15, 15)
    dot[..., 7, 7] = 1
    found = depthwise(dot)[0]
    assert torch.equal(found[:5], dot[0, :5])
    assert [int(found[channel].sum()) for channel in (5, 6, 7)] == [9, 11, 11]
    assert found[6, 7].sum() == 11 and found[7, :, 7].sum() == 11, "wide, and tall"


def test_a_block_begins_as_nothing() -> None:
    block, features = GatedBlock(8, 20), torch.randn(1, 4, 4, 8)
    torch.testing.assert_close(block(features), features, atol=1e-4, rtol=0)
    torch.nn.init.ones_(block.gain)
    assert (block(features) - features).abs().mean() > 1e-3


@pytest.mark.parametrize("name", registry("regularizers").names())
def test_each_penalty_gives_a_gradient(name: str) -> None:
    judge = MetaGANDiscriminator(**SMALL)
    registry("regularizers").get(name)()(judge, torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)).backward()
    gradient = judge.get_parameter("stages.0.0.gain").grad
    assert gradient is not None and gradient.isfinite().all() and gradient.any()


def test_what_it_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match="widths and blocks want a number for each stage"):
        MetaGANDiscriminator(widths=[8], blocks=[1, 1])
    with pytest.raises(UserError, match="widths must be at least 8"):
        MetaGANDiscriminator(widths=[4], blocks=[1])
