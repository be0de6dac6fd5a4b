"""The residual CNN in two halves."""

from __future__ import annotations

import pytest
import torch

from toolbox.io.errors import UserError
from toolbox.testing import check_decoder, check_encoder
from toolbox_plugins.cnn.coder import GAIN, ResidualDecoder, ResidualEncoder


def test_both_halves_keep_to_their_contracts() -> None:
    check_encoder(ResidualEncoder(width=16, blocks=1))
    check_decoder(ResidualDecoder(width=16, blocks=1))


@pytest.mark.parametrize("shrink", [1, 2])
def test_without_blocks_they_begin_as_the_identity(shrink: int) -> None:
    images = torch.rand(2, 3, 8, 12)
    encoder, decoder = ResidualEncoder(blocks=0, shrink=shrink), ResidualDecoder(blocks=0, shrink=shrink)
    assert torch.allclose(decoder(encoder(images)), images, atol=1e-5)


def test_pixels_stand_in_the_first_channels_of_the_code() -> None:
    code = ResidualEncoder(blocks=0, shrink=2)(torch.full((1, 3, 4, 4), 0.75))
    assert torch.allclose(code[:, :12, 1:-1, 1:-1], torch.tensor(0.5 * GAIN))


def test_a_code_too_narrow_for_the_pixels_is_refused() -> None:
    with pytest.raises(UserError, match="width must be 12 or more"):
        ResidualEncoder(width=8)
