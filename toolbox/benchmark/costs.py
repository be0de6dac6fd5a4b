"""What a trained network costs in use: parameters, multiply-accumulates, latency and throughput."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from toolbox.assembly.loading import TrainedOutput
from toolbox.engine.costs import load
from toolbox.training.macs import count_macs

WARM_UP, ROUNDS, SECONDS = 2, 7, 5.0
"""Calls that are not counted, calls that are, and how long the latter may take together; three are made at least."""
BATCH = 4
"""Images at once, for the throughput."""


def inference_costs(network: TrainedOutput, sizes: Sequence[int]) -> dict[str, Any]:
    """Costs of one output's networks on images of `sizes` pixels a side, with this process's threads.

    `parameters` counts each network once; `gmacs_N`, `latency_ms_N` (one image, median) and `images_per_s_N` (batches
    of four) are None where the output wants more than an image. `load` is the machine's while it was measured.
    """
    network.eval()
    slots = dict.fromkeys(network.algorithm.outputs[network.output].networks)
    networks = [network.algorithm.averaged_network(slot) for slot in slots]
    found: dict[str, Any] = {"parameters": sum(p.numel() for each in networks for p in each.parameters())}
    for size in sizes:
        macs = count_macs(network, size=size, channels=_channels(networks[0]))
        found[f"gmacs_{size}"] = None if macs is None else macs / 1e9
        for name, batch in ((f"latency_ms_{size}", 1), (f"images_per_s_{size}", BATCH)):
            images = torch.rand(batch, _channels(networks[0]), size, size, device=next(network.parameters()).device)
            seconds = None if macs is None else tried(network, images)
            scaled = None if seconds is None else 1000 * seconds if batch == 1 else batch / seconds
            found[name] = scaled
    return {**found, "load": load()}


def tried(network: TrainedOutput, images: Tensor) -> float | None:
    """Seconds of a call, None where the network does not take so much: a run is not lost by its last measurement."""
    try:
        return seconds_of(network, images)
    except (RuntimeError, MemoryError, ValueError, TypeError, AssertionError, IndexError):
        return None


def seconds_of(network: Callable[[Tensor], Tensor], images: Tensor) -> float:
    """Median seconds of one call, after a warm-up."""
    times: list[float] = []
    with torch.inference_mode():
        for turn in range(WARM_UP + ROUNDS):
            if sum(times) > SECONDS and len(times) >= 3:
                break
            start = time.perf_counter()
            network(images)
            if images.is_cuda:
                torch.cuda.synchronize(images.device)
            if turn >= WARM_UP:
                times.append(time.perf_counter() - start)
    return median(times)


def _channels(network: nn.Module) -> int:
    """Channels of the images that a network takes, by its first convolution; 3 where that says something else."""
    first = next((each for each in network.modules() if isinstance(each, nn.Conv2d)), None)
    return first.in_channels if first is not None and first.in_channels in (1, 3) else 3
