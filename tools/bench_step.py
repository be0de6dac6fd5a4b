"""The training step against a plain reference, each in a process of its own as its users would run it."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from typing import Any

import bench_cyclegan
import bench_esrgan
import torch

from toolbox.assembly.build import build_algorithm
from toolbox.assembly.machine import cores
from toolbox.config import find_config, load_config
from toolbox.engine.memory import keep_freed_memory
from toolbox.engine.optimizers import build_optimizers


def toolbox_cyclegan(size: int, *, amp: str | None) -> Callable[[], Any]:
    """The same step by the toolbox: channels-last, fused Adam, foreach average, D on both at once."""
    config = load_config(find_config("style/cyclegan.yaml"), {"model.channels_last": True, "model.ema": 0.999}).data
    model = build_algorithm(config["model"])
    optimizers = build_optimizers(model, config["optim_wrapper"], amp=amp, device_type="cpu")
    batch = {name: torch.rand(1, 3, size, size) for name in model.inputs}
    return lambda: model.train_step(batch, optimizers)


Step = Callable[[int], Callable[[], Any]]
REFERENCE = "reference"
RECIPES: dict[str, dict[str, Step]] = {
    "CycleGAN ResNet-9, batch 1": {
        REFERENCE: bench_cyclegan.reference_step,
        "toolbox, float32": lambda size: toolbox_cyclegan(size, amp=None),
        "toolbox, bfloat16": lambda size: toolbox_cyclegan(size, amp="bfloat16"),
    },
    "ESRGAN x4 (4 blocks, U-Net, VGG19), batch 4": {
        REFERENCE: bench_esrgan.reference_step,
        "toolbox, float32": lambda size: bench_esrgan.toolbox_step(size, amp=None),
        "the same, one graph": lambda size: bench_esrgan.toolbox_step(size, amp=None, one_graph=True),
        "toolbox, bfloat16": lambda size: bench_esrgan.toolbox_step(size, amp="bfloat16"),
    },
}


def serve(recipe: str, name: str, size: int, threads: int, orders: Any) -> None:
    """Take two steps for each order that comes, and answer with the seconds of one."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if name != REFERENCE:  # every run of the toolbox begins so
        keep_freed_memory()
    step = RECIPES[recipe][name](size)
    while orders.recv():
        start = time.perf_counter()
        step()
        step()
        orders.send((time.perf_counter() - start) / 2)


def main(size: int, rounds: int) -> None:
    """Measure each recipe in turn with its reference, print medians and ratios round by round."""
    for recipe in RECIPES:
        measure(recipe, size, rounds)


def measure(recipe: str, size: int, rounds: int) -> None:
    """Let the variants of one recipe take turns."""
    spawn = multiprocessing.get_context("spawn")
    threads = cores()
    pipes: dict[str, Any] = {}
    for name in RECIPES[recipe]:
        pipes[name], theirs = spawn.Pipe()
        spawn.Process(target=serve, args=(recipe, name, size, threads, theirs), daemon=True).start()
    seconds: dict[str, list[float]] = {name: [] for name in pipes}
    for number in range(rounds + 1):
        for name, pipe in pipes.items():
            pipe.send(True)
            took = pipe.recv()
            if number:  # the first round warms up
                seconds[name].append(took)
    for pipe in pipes.values():
        pipe.send(False)
    print(f"{recipe}, {size} x {size}, {threads} threads, {rounds} rounds in turn")
    for name, times in seconds.items():
        ratios = [a / b for a, b in zip(seconds[REFERENCE], times, strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"{name:19} {statistics.median(times):.3f} s/step   {statistics.median(ratios):.2f}x ({spread})")
