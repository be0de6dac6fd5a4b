"""The history of generated images."""

from __future__ import annotations

import pytest
import torch

from toolbox.training.image_pool import ImagePool


def numbered(*numbers: float, size: int = 4) -> torch.Tensor:
    return torch.tensor(numbers).reshape(-1, 1, 1, 1).expand(-1, 3, size, size).clone()


def test_a_pool_fills_first_and_then_gives_each_old_image_at_most_once() -> None:
    pool = ImagePool(3)
    assert torch.equal(pool(numbered(0, 1, 2)), numbered(0, 1, 2))
    seen: list[float] = []
    for number in range(3, 43):
        seen.append(float(pool(numbered(number))[0, 0, 0, 0]))
    old = [given for given, came in zip(seen, range(3, 43), strict=True) if given != came]
    assert len(set(seen)) == len(seen), "an image that was given away came back"
    assert 10 < len(old) < 30
    left = {float(image[0, 0, 0]) for image in pool.images}
    assert left | set(seen) == {float(number) for number in range(43)}


def test_a_restored_pool_serves_the_device_of_the_fakes() -> None:
    saved = ImagePool(2)
    saved(numbered(0, 1))
    pool = ImagePool(2)
    pool.set_extra_state(saved.get_extra_state())  # a checkpoint is read onto the CPU
    for _ in range(10):
        assert pool(torch.empty(2, 3, 4, 4, device="meta")).device.type == "meta"


def test_images_of_another_size_start_the_history_afresh() -> None:
    pool = ImagePool(2)
    pool(numbered(0, 1))
    for number in range(2, 10, 2):
        assert pool(numbered(number, number + 1, size=6)).shape == (2, 3, 6, 6)
    assert all(image.shape == (3, 6, 6) for image in pool.images)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_memory_format_of_the_fakes_is_kept(layout: torch.memory_format) -> None:
    pool = ImagePool(1)
    for _ in range(6):
        fakes = torch.rand(2, 3, 4, 4).contiguous(memory_format=layout)
        assert pool(fakes).is_contiguous(memory_format=layout)
        assert not pool(fakes).requires_grad
