"""The framework's own cost per iteration: a trivial two-network GAN under the Runner against a bare PyTorch loop.

Both loops take turns in one process; the median of the rounds' differences is what the framework adds. The second
measurement begins at iteration 500,000, with that much history behind it.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from toolbox.assembly.runner import build_runner
from toolbox.config import find_config, load_config
from toolbox.engine.loops import TrainLoop
from toolbox.plugins.registry import registry
from toolbox.testing.objective import LeastSquares
from toolbox.training.parts import Adversary, Parts


class Tiny(nn.Module):
    """One 1x1 convolution: nothing to compute, so that only the loop's own cost remains."""

    def __init__(self, judge: bool) -> None:
        super().__init__()
        self.layer, self.judge = nn.Conv2d(3, 1 if judge else 3, 1), judge

    def forward(self, images: torch.Tensor) -> Any:
        """Images to images, or to logits."""
        return [self.layer(images)] if self.judge else self.layer(images)


def bare(iterations: int) -> float:
    """Seconds per iteration of the same two steps, written plainly."""
    g, d = Tiny(False), Tiny(True)
    adam_g, adam_d = (torch.optim.Adam(n.parameters(), fused=True) for n in (g, d))
    objective, images = LeastSquares(), torch.rand(1, 3, 8, 8)
    start = time.perf_counter()
    for _ in range(iterations):
        fake = g(images)
        for parameter in d.parameters():
            parameter.requires_grad_(False)
        loss = objective.g_loss(d(fake), None)
        adam_g.zero_grad()
        loss.backward()
        adam_g.step()
        for parameter in d.parameters():
            parameter.requires_grad_(True)
        both = d(torch.cat([images, fake.detach()]))[0]
        loss = objective.d_loss([both[:1]], [both[1:]])
        adam_d.zero_grad()
        loss.backward()
        adam_d.step()
    return (time.perf_counter() - start) / iterations


def framework(iterations: int, first: int, folder: Path) -> float:
    """Seconds per iteration under the Runner, counting from iteration `first`."""
    options = {
        "work_dir": str(folder),
        "model.phases": None,
        "train_cfg": {"max_iters": first + iterations, "val_interval": 10**9},
        "default_hooks": {"checkpoint": {"interval": 10**9}, "logger": {"interval": 100}, "samples": None},
        "val_dataloader": None,
        "val_evaluator": None,
    }
    runner: Any = build_runner(load_config(find_config("demo/super_resolution.yaml"), options))
    algorithm: Any = registry("algorithms").get("SRGAN")
    batch = {"lr": torch.rand(1, 3, 8, 8), "hr": torch.rand(1, 3, 8, 8)}
    parts = Parts(
        networks={"generator": Tiny(False), "discriminator": Tiny(True)},
        adversaries={"discriminator": Adversary(LeastSquares())},
    )
    runner.algorithm = runner.model = algorithm(parts)
    loop: Any = runner.build_train_loop(runner._train_loop)
    assert isinstance(loop, TrainLoop)
    runner._train_loop = loop
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    runner.call_hook("before_run")
    runner.call_hook("before_train")
    loop._iter = first
    start = time.perf_counter()
    for _ in range(iterations):
        loop.run_iter(batch)
        if loop._iter >= runner.max_iters - 1:
            break
    seconds = (time.perf_counter() - start) / iterations
    runner.call_hook("after_train")
    return seconds


def main(iterations: int, rounds: int) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    for first in (1_000, 500_000):
        differences = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                ours = framework(iterations, first, Path(folder))
            differences.append((ours - bare(iterations)) * 1e3)
        low, middle, high = min(differences), statistics.median(differences), max(differences)
        print(f"from iteration {first}: {middle:.3f} ms over a bare loop (rounds {low:.3f} to {high:.3f})")
