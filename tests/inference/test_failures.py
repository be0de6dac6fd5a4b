"""What a network's first call fails of is said as it is: other channels, memory, a torch that is not for this GPU."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from toolbox.inference import Predictor, files, plan
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


@pytest.mark.parametrize(
    "error", [TypeError("odd"), OSError("odd"), KeyError("odd"), struct.error("odd"), MemoryError()]
)
def test_whatever_reading_or_writing_raises_is_told_and_the_next_picture_is_written(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    read, write = files.read_picture, files.write_picture

    def failing(work: Callable[..., Any], name: str) -> Callable[..., Any]:
        def called(path: Path, *values: Any, **named: Any) -> Any:
            if path.stem == name:
                raise error
            return work(path, *values, **named)

        return called

    monkeypatch.setattr(files, "read_picture", failing(read, "a"))
    monkeypatch.setattr(files, "write_picture", failing(write, "b"))
    jobs = plan([tmp_path], tmp_path / "out").jobs
    told = dict(files.translate(Predictor(nn.Identity(), device="cpu"), jobs))
    said = {job.source.stem: problem for job, problem in told.items()}
    assert "a.png: cannot be read (" in str(said["a"]) and "b.png: cannot be written (" in str(said["b"])
    assert said["c"] is None and (tmp_path / "out" / "c.png").is_file()
