"""Tiles equal the whole: borders and corners included, whatever the size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolbox.assembly import reach as reach_module
from toolbox.assembly.reach import Reach, memory_per_pixel, reach
from toolbox.inference.memory import free_memory
from toolbox.inference.tiling import alike, halving, is_out_of_memory, ramp, spans, tiled
from toolbox_plugins.cyclegan.generator import ResnetGenerator
from toolbox_plugins.srgan.srresnet import SRResNet
from toolbox_plugins.unet.restorer import UNetRestorer


def together(network: Callable[[Tensor], Tensor], images: Tensor, **how: int | bool) -> Tensor:
    """The output put together from tiles; every pixel must be stored, and once."""
    scale = int(how.get("scale", 1))
    size = (images.shape[-2] * scale, images.shape[-1] * scale)
    result, times = torch.zeros(*images.shape[:-2], *size), torch.zeros(size)

    def store(y: int, x: int, part: Tensor) -> None:
        there = (..., slice(y, y + part.shape[-2]), slice(x, x + part.shape[-1]))
        result[there], times[there[0], there[1], there[2]] = part, times[there] + 1

    with torch.inference_mode():
        tiled(network, images, store, **how)  # pyright: ignore[reportArgumentType]
    assert bool((times == 1).all()), "a pixel was stored twice, or never"
    return result


@pytest.mark.parametrize("size", [(427, 641), (333, 97), (1, 131)], ids=str)
@pytest.mark.parametrize("tile", [48, 100])
def test_tiles_with_the_networks_reach_equal_the_whole_up_to_the_borders(size: tuple[int, int], tile: int) -> None:
    network = SRResNet(width=4, blocks=1, scale=2).eval()
    found = reach(network, channels=3, scale=2, multiple=1)
    images = torch.rand(1, 3, *size)
    with torch.inference_mode():
        whole = network(images)
    assert found.local and found.halo < 16
    parts = together(network, images, tile=tile, halo=found.halo, scale=2)
    assert float((parts - whole).abs().max()) < 1e-5


@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_the_reach_of_convolutions_is_half_their_kernels(kernel: int) -> None:
    layers = [nn.Conv2d(3, 3, kernel, padding=kernel // 2) for _ in range(3)]
    assert reach(nn.Sequential(*layers), channels=3, scale=1, multiple=1) == Reach(3 * (kernel // 2), local=True)
    dilated = nn.Conv2d(3, 3, 3, padding=5, dilation=5)
    assert reach(dilated, channels=3, scale=1, multiple=1) == Reach(5, local=True)


def test_the_reach_covers_every_phase_of_a_strided_network() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, padding=1),
        nn.Upsample(scale_factor=4), nn.Conv2d(8, 3, 3, padding=1),
    )  # fmt: skip
    found = reach(network, channels=3, scale=1, multiple=4)
    assert found.local and found.halo % 4 == 0
    images = torch.rand(2, 3, 64, 92)
    with torch.inference_mode():
        whole = network(images)
    assert float((together(network, images, tile=20, halo=found.halo, multiple=4) - whole).abs().max()) < 1e-5


class ByFourier(nn.Conv2d):
    """A convolution that, as libraries may, takes Fourier's way wherever one of them is allowed to choose."""

    library: Any = torch.backends.cudnn

    def forward(self, input: Tensor) -> Tensor:
        if not self.library.enabled:
            return super().forward(input)
        size = [length + self.kernel_size[0] - 1 for length in input.shape[-2:]]
        spectrum = torch.fft.rfft2(input, s=size)[:, None] * torch.fft.rfft2(self.weight.flip(2, 3), s=size)
        margin = self.kernel_size[0] // 2
        whole = torch.fft.irfft2(spectrum.sum(2), s=size)
        return whole[..., margin : margin + input.shape[-2], margin : margin + input.shape[-1]]


class Switch:
    """What every library of torch's backends has: whether it may be used."""

    enabled = True

    @contextmanager
    def flags(self, *, enabled: bool) -> Iterator[None]:
        before, self.enabled = self.enabled, enabled
        yield
        self.enabled = before


@pytest.mark.parametrize("library", ["cudnn", "nnpack"])
def test_ways_of_convolving_that_smear_do_not_enlarge_the_reach(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    switch = Switch()
    monkeypatch.setattr(torch.backends, library, switch)
    layers = [ByFourier(3, 3, kernel, padding=kernel // 2, bias=False) for kernel in (3, 5)]
    for layer in layers:
        layer.library = switch
    network = nn.Sequential(*layers)
    images = torch.rand(1, 3, 40, 40)
    with torch.inference_mode():
        by_fourier, switch.enabled = network(images), False
        torch.testing.assert_close(by_fourier, network(images))
        switch.enabled = True
        images[..., 20, 20] = torch.nan
        assert network(images).isnan().all(), "NaN is everywhere where Fourier's way is taken"
    assert reach(network, channels=3, scale=1, multiple=1) == Reach(1 + 2, local=True)
    assert switch.enabled


def test_a_network_that_looks_at_the_whole_image_is_found_out() -> None:
    normalised = ResnetGenerator(width=4, blocks=1).eval()
    assert not reach(normalised, channels=3, scale=1, multiple=4).local


def test_a_deep_network_that_weighs_little_what_is_far_gets_the_overlap_that_it_feels() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 3, 3, padding=1) for _ in range(100)]
    for layer in layers:
        with torch.no_grad():
            layer.weight.mul_(0.05)
            layer.weight[range(3), range(3), 1, 1] = 1.0
    network = nn.Sequential(*layers)
    found = reach(network, channels=3, scale=1, multiple=1)
    assert found.local and found.halo < 100
    images = torch.rand(1, 3, 150, 170)
    with torch.inference_mode():
        whole = network(images)
    assert float((together(network, images, tile=64, halo=found.halo) - whole).abs().max()) < 1e-3


def test_the_reach_of_a_network_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Conv2d(3, 3, 3, padding=1)
    first = reach(network, channels=3, scale=1, multiple=1)
    monkeypatch.setattr(reach_module, "_exact", None)
    assert reach(network, channels=3, scale=1, multiple=1) is first


@pytest.mark.parametrize(("length", "tile", "multiple"), [(641, 64, 1), (10, 3, 1), (96, 64, 32), (7, 100, 1)])
def test_spans_cover_a_side_once_and_start_at_multiples(length: int, tile: int, multiple: int) -> None:
    found = spans(length, tile, 5, multiple)
    assert [s.start for s in found[1:]] == [s.stop for s in found[:-1]]
    assert (found[0].start, found[-1].stop) == (0, length)
    assert all(s.start % multiple == 0 and 0 < s.stop - s.start <= max(tile, multiple) for s in found)
    assert all(s.first == max(0, s.start - -(-5 // multiple) * multiple) for s in found)
    assert (found[0].first, found[-1].last) == (0, length), "nothing is added at the image's border"


@pytest.mark.parametrize(("length", "tile", "multiple"), [(641, 64, 1), (10, 3, 1), (96, 64, 32), (7, 100, 1)])
def test_tiles_that_agree_all_see_as_much(length: int, tile: int, multiple: int) -> None:
    bare = spans(length, tile, 5, multiple)
    found = alike(bare)
    assert len({each.last - each.first for each in found}) == 1
    for each, before in zip(found, bare, strict=True):
        assert (each.start, each.stop) == (before.start, before.stop)
        assert 0 <= each.first <= before.first and before.last <= each.last <= length
        assert each.first % multiple == 0


@pytest.mark.parametrize("scale", [1, 4])
def test_feathered_weights_are_never_zero_and_add_up_to_one(scale: int) -> None:
    total = torch.zeros(100 * scale)
    for span in spans(100, 30, 6):
        weights = ramp(span, scale)
        assert float(weights.min()) > 0
        total[span.first * scale : span.last * scale] += weights
    assert float((total - 1).abs().max()) < 1e-6
    assert float(ramp(spans(100, 30, 6)[0], scale)[0]) == 1, "the first row counts in full"


@pytest.mark.parametrize("size", [(70, 91), (33, 200), (5, 64)], ids=str)
def test_feathering_changes_nothing_where_tiles_agree(size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size)
    doubled = together(lambda x: x.repeat_interleave(2, -1).repeat_interleave(2, -2), images, tile=20, halo=8, scale=2,
                       feather=True)  # fmt: skip
    assert torch.allclose(doubled, images.repeat_interleave(2, -1).repeat_interleave(2, -2), atol=1e-6)


def test_feathering_turns_a_step_between_tiles_into_a_slope() -> None:
    levels = iter([0.0, 1.0])
    result = together(
        lambda x: torch.full_like(x, next(levels)), torch.zeros(1, 1, 40, 80), tile=40, halo=10, feather=True
    )
    steps = result[0, 0, 0].diff().abs()
    assert (
        float(steps.max()) <= 1 / 20 + 1e-6 and float(result[..., 0].max()) == 0 and float(result[..., -1].min()) == 1
    )


def test_a_network_whose_output_has_another_size_is_named() -> None:
    with pytest.raises(ValueError, match="scale 2 promises"):
        together(lambda x: x, torch.zeros(1, 3, 8, 8), tile=0, halo=0, scale=2)


def test_halving_goes_on_until_memory_suffices_and_raises_at_the_smallest_tile() -> None:
    tried: list[int] = []

    def work(tile: int, limit: int) -> None:
        tried.append(tile)
        if (tile or 1000) > limit:
            raise RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            )

    assert halving(lambda tile: work(tile, 150), 0, whole=1000) == 125
    assert tried == [0, 500, 250, 125]
    with pytest.raises(RuntimeError, match="can't allocate"):
        halving(lambda tile: work(tile, 10), 512, whole=1000)
    assert tried[-1] == 32


def test_only_a_want_of_memory_is_answered_with_smaller_tiles() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")) and is_out_of_memory(
        MemoryError()
    )
    assert not is_out_of_memory(RuntimeError("Given groups=1, weight of size [3, 3, 3, 3]"))

    def wrong(tile: int) -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        halving(wrong, 512, whole=1000)


def test_memory_is_estimated_by_the_largest_layer() -> None:
    network = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 3, 3, padding=1))
    assert memory_per_pixel(network, network, torch.zeros(1, 3, 16, 16)) == 4 * (64 + 64) * 4
    assert free_memory(torch.device("cpu")) > 1 << 20


def test_the_machine_is_asked_for_its_memory_ten_times_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def opened(name: str) -> StringIO:
        asked.append(name)
        return StringIO("MemAvailable: 1 kB" if "meminfo" in name else "max")

    monkeypatch.setattr("builtins.open", opened)
    now = 1e9  # nobody has asked then
    monkeypatch.setattr("time.monotonic", lambda: now)
    cpu = torch.device("cpu")
    assert free_memory(cpu) == 1024
    first = len(asked)
    now += 0.05
    assert free_memory(cpu) == 1024 and len(asked) == first
    now += 0.1
    assert free_memory(cpu) == 1024 and len(asked) == 2 * first


def test_a_unet_of_many_levels_is_tiled_at_its_multiples() -> None:
    network = UNetRestorer(width=4, levels=2).eval()
    multiple = network.multiple
    found = reach(network, channels=3, scale=1, multiple=multiple)
    images = torch.rand(1, 3, 24 * multiple, 17 * multiple)
    with torch.inference_mode():
        whole = network(images)
    parts = together(network, images, tile=12 * multiple, halo=found.halo, multiple=multiple, feather=not found.local)
    assert float((parts - whole).abs().max()) < (1e-3 if found.local else 1)


def test_a_network_that_looks_far_is_local_with_the_widest_halo_and_one_that_looks_everywhere_is_not() -> None:
    deep = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(120)))
    assert reach(deep, channels=1, scale=1, multiple=1) == Reach(96, local=True)
    everywhere = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.InstanceNorm2d(1))
    assert not reach(everywhere, channels=1, scale=1, multiple=1).local


def test_memory_that_the_allocator_holds_and_does_not_use_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    total, used_by_others, allocated = 80, 10, 15
    for reserved in (15, 40, 70):  # whatever a picture before this one left in the allocator's hands
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device, reserved=reserved: reserved)
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: allocated)
        free = total - used_by_others - reserved
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, total))
        assert free_memory(torch.device("cuda", 0)) == total - used_by_others - allocated
