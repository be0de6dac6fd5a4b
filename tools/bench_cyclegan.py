"""The published CycleGAN step, written straightforwardly: what `bench.py step` compares the toolbox with."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from toolbox.assembly.build import build_algorithm
from toolbox.config import find_config, load_config


def reference_step(size: int) -> Callable[[], Any]:
    """The step as published: float32, NCHW, a loop over parameters in Adam and in the average, D in two passes."""
    model: Any = build_algorithm(load_config(find_config("style/cyclegan.yaml")).data["model"])
    g_ab, g_ba, d_a, d_b = model.generator_ab, model.generator_ba, model.discriminator_a, model.discriminator_b
    for network in (g_ab, g_ba):
        _stock_instance_norm(network)
    for network in (d_a, d_b):
        _stock_instance_norm(network)
    averages = [deepcopy(network) for network in (g_ab, g_ba)]
    adam: dict[str, Any] = {"lr": 2e-4, "betas": (0.5, 0.999), "foreach": False}
    adam_g = torch.optim.Adam(itertools.chain(g_ab.parameters(), g_ba.parameters()), **adam)
    adam_d = torch.optim.Adam(itertools.chain(d_a.parameters(), d_b.parameters()), **adam)
    pools: list[list[Tensor]] = [[], []]
    real_a, real_b = torch.rand(1, 3, size, size), torch.rand(1, 3, size, size)

    def judged(network: nn.Module, images: Tensor, target: float) -> Tensor:
        logits = network(images)[0]
        return mse_loss(logits, torch.full_like(logits, target))

    def pooled(pool: list[Tensor], image: Tensor) -> Tensor:
        if len(pool) < 50:
            pool.append(image.clone())
            return image
        if random.random() < 0.5:
            return image
        place = random.randrange(50)
        old, pool[place] = pool[place], image.clone()
        return old

    def step() -> None:
        fake_b, fake_a = g_ab(real_a), g_ba(real_b)
        rec_a, rec_b = g_ba(fake_b), g_ab(fake_a)
        same_a, same_b = g_ba(real_a), g_ab(real_b)
        for parameter in itertools.chain(d_a.parameters(), d_b.parameters()):
            parameter.requires_grad_(False)
        loss = judged(d_b, fake_b, 1.0) + judged(d_a, fake_a, 1.0)
        loss = loss + 20 * (l1_loss(rec_a, real_a) + l1_loss(rec_b, real_b))
        loss = loss + 10 * (l1_loss(same_a, real_a) + l1_loss(same_b, real_b))
        adam_g.zero_grad()
        loss.backward()
        adam_g.step()
        for parameter in itertools.chain(d_a.parameters(), d_b.parameters()):
            parameter.requires_grad_(True)
        adam_d.zero_grad()
        for network, real, fake, pool in ((d_a, real_a, fake_a, pools[0]), (d_b, real_b, fake_b, pools[1])):
            fake = pooled(pool, fake.detach())
            (0.5 * (judged(network, real, 1.0) + judged(network, fake, 0.0))).backward()
        adam_d.step()
        with torch.no_grad():
            for average, network in zip(averages, (g_ab, g_ba), strict=True):
                for mean, parameter in zip(average.parameters(), network.parameters(), strict=True):
                    mean.mul_(0.999).add_(parameter, alpha=0.001)

    return step


def _stock_instance_norm(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.InstanceNorm2d):
            module.__class__ = nn.InstanceNorm2d
