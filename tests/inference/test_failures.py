"""What a network's first call fails of is said as it is: other channels, memory, a torch that is not for this GPU."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from toolbox.inference import Predictor
from toolbox.inference.failures import speaks_of_shapes
from toolbox.io.errors import UserError


class Failing(nn.Module):
    """Raises what it was given."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def forward(self, images: Tensor) -> Tensor:
        raise self.error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "memory ran out .* --device cpu"),
        (
            RuntimeError("CUDA error: no kernel image is available for execution"),
            "install a torch that is built for it",
        ),
        (RuntimeError("cuDNN error: CUDNN_STATUS_NOT_INITIALIZED"), "the device failed .*CUDNN_STATUS.* doctor"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "memory ran out"),
        (RuntimeError("\"conv\" not implemented for 'Half'"), "cannot compute there"),
        (RuntimeError("the plugin is broken"), r"the network fails on a picture \(the plugin is broken\)"),
    ],
)
def test_the_first_failure_keeps_its_cause_and_has_a_way_out(error: Exception, told: str) -> None:
    with pytest.raises(UserError, match=told):
        Predictor(Failing(error))


def test_only_shapes_mean_other_channels() -> None:
    with pytest.raises(UserError, match="takes neither 1, 3 nor 4 channels"):
        Predictor(Failing(RuntimeError("Given groups=1, expected input to have 7 channels, but got 3 instead")))
    for made in (nn.Conv2d(5, 5, 3), nn.Linear(5, 5), nn.GroupNorm(5, 5)):
        with pytest.raises((RuntimeError, ValueError)) as caught:
            made(torch.zeros(1, 3, 8, 8))
        assert speaks_of_shapes(caught.value), caught.value
