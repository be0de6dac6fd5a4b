"""Real-ESRGAN's discriminator against its published size, and an implementation from the state dictionary alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox.io.errors import UserError
from toolbox.testing import check_discriminator
from toolbox_plugins.gan_variants.lsgan import LSGAN
from toolbox_plugins.gan_variants.spectral_norm import SpectralNorm
from toolbox_plugins.realesrgan.unet_discriminator import UNetDiscriminator

INNER = [f"conv{n}" for n in range(1, 9)]


def basicsr_state(width: int, spectral: bool) -> dict[str, Tensor]:
    """A file as BasicSR writes it, with the names of torch's older spectral norm."""
    widths = [(3, 1), (1, 2), (2, 4), (4, 8), (8, 4), (4, 2), (2, 1), (1, 1), (1, 1)]
    shapes = [(out * width, into if n == 0 else into * width, 3) for n, (into, out) in enumerate(widths)]
    shapes = [(out, into, 4 if n in (1, 2, 3) else 3) for n, (out, into, _) in enumerate(shapes)] + [(1, width, 3)]
    state = {}
    for n, (out, into, size) in enumerate(shapes):
        weight = torch.randn(out, into, size, size)
        if spectral and 0 < n < 9:
            state[f"conv{n}.weight_orig"] = weight
            # The largest singular vectors to start with, so that a further power iteration changes nothing.
            u, _, v = torch.linalg.svd(weight.flatten(1), full_matrices=False)
            state[f"conv{n}.weight_u"], state[f"conv{n}.weight_v"] = u[:, 0], v[0]
        else:
            state[f"conv{n}.weight"] = weight / (into * size**2) ** 0.5
        if n in (0, 9):
            state[f"conv{n}.bias"] = torch.randn(out)
    return state


def judge(state: dict[str, Tensor], x: Tensor, skip: bool) -> Tensor:
    """BasicSR's UNetDiscriminatorSN for sizes that 8 divides, written from its description with functions only."""

    def conv(n: int, x: Tensor) -> Tensor:
        weight = state.get(f"conv{n}.weight")
        if weight is None:
            matrix = state[f"conv{n}.weight_orig"]
            weight = matrix / torch.linalg.matrix_norm(matrix.flatten(1), 2)
        stride = 2 if n in (1, 2, 3) else 1
        x = F.conv2d(x, weight, state.get(f"conv{n}.bias"), stride=stride, padding=1)
        return F.leaky_relu(x, 0.2) if n < 9 else x

    def enlarged(x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

    x0 = conv(0, x)
    x1 = conv(1, x0)
    x2 = conv(2, x1)
    x = conv(4, enlarged(conv(3, x2))) + skip * x2
    x = conv(5, enlarged(x)) + skip * x1
    x = conv(6, enlarged(x)) + skip * x0
    return conv(9, conv(8, conv(7, x)))


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("spectral", [True, False])
def test_a_basicsr_file_gives_what_its_description_computes(spectral, skip):
    state = basicsr_state(4, spectral)
    network = UNetDiscriminator(width=4, skip=skip, spectral_norm=spectral)
    network.load_state_dict(state, strict=True)
    images = torch.rand(2, 3, 16, 24)
    (logits,) = network(images)
    assert logits.shape == (2, 1, 16, 24)
    torch.testing.assert_close(logits, judge(state, images, skip), atol=1e-4, rtol=1e-4)


def test_it_has_the_published_number_of_parameters():
    with torch.device("meta"):
        network = UNetDiscriminator(spectral_norm=False)
    assert sum(p.numel() for p in network.parameters()) == 4_376_897


@pytest.mark.parametrize("size", [(8, 8), (9, 15), (17, 32), (33, 27)])
def test_every_pixel_of_any_size_is_judged(size):
    network = UNetDiscriminator(width=2)
    assert network(torch.rand(1, 3, *size))[0].shape == (1, 1, *size)


def test_its_inner_convolutions_alone_are_normalised_and_its_state_loads_again():
    network = UNetDiscriminator(width=4)
    normalised = {key.split(".")[0] for key in network.state_dict() if "parametrizations" in key}
    assert normalised == set(INNER)
    network(torch.rand(1, 3, 16, 16))
    other = UNetDiscriminator(width=4)
    other.load_state_dict(network.state_dict())
    network.eval(), other.eval()
    images = torch.rand(1, 3, 16, 16)
    assert torch.equal(network(images)[0], other(images)[0])


def test_the_variant_spectral_norm_adds_the_first_and_the_last_and_normalises_none_twice():
    network = SpectralNorm(base=LSGAN()).prepare(UNetDiscriminator(width=4))
    originals = [name for name, _ in network.named_parameters() if name.endswith("original")]
    assert sorted(originals) == [f"conv{n}.parametrizations.weight.original" for n in range(10)]


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_it_keeps_to_the_contract_for_any_number_of_channels(channels):
    check_discriminator(UNetDiscriminator(in_channels=channels, width=4), channels=channels, size=24)


def test_wrong_arguments_and_images_too_small_are_refused():
    with pytest.raises(UserError, match="width must be at least 1, got 0"):
        UNetDiscriminator(width=0)
    with pytest.raises(UserError, match="images must be 8x8 at least, got 9x7"):
        UNetDiscriminator(width=4)(torch.rand(1, 3, 7, 9))


def test_it_moves_to_another_type_and_layout():
    network = UNetDiscriminator(width=4).to(torch.float64, memory_format=torch.channels_last)  # pyright: ignore
    assert network(torch.rand(1, 3, 8, 8, dtype=torch.float64))[0].dtype == torch.float64
