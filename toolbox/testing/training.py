"""Contract checks of what trains: a variant or an algorithm, with tiny networks, stepped without a Runner."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from toolbox.contracts.augmentation import Augmentation
from toolbox.contracts.gan_variant import GanVariant
from toolbox.contracts.regularizer import Regularizer
from toolbox.engine.optimizers import parameter_groups
from toolbox.testing.components import images, require
from toolbox.testing.networks import (
    Distance,
    TinyDecoder,
    TinyDegradation,
    TinyDiscriminator,
    TinyEncoder,
    TinyFeatures,
    TinyGenerator,
    TinyStyleEncoder,
)
from toolbox.training.algorithm import Algorithm
from toolbox.training.parts import Adversary, Parts, WeightedLoss

OTHERS: dict[str, Callable[[], nn.Module]] = {
    "encoders": TinyEncoder,
    "style_encoders": TinyStyleEncoder,
    "decoders": TinyDecoder,
    "features": TinyFeatures,
}
"""What stands in a slot of each further kind."""


def assemble(
    algorithm: type[Algorithm],
    variant: Callable[[], GanVariant],
    *,
    generator: Callable[[int], nn.Module] = lambda scale: TinyGenerator(scale=scale),
    discriminator: Callable[[int], nn.Module] = TinyDiscriminator,
    networks: Mapping[str, nn.Module] | None = None,
    losses: bool = True,
    pool: int = 0,
    ema: float | None = None,
    seed: int = 0,
    **arguments: Any,
) -> Algorithm:
    """An algorithm with tiny networks: one loss of weight 1 for each role, one variant for each discriminator.

    Roles that need the generators' averages have a loss only with `ema`. `generator` is called with the scale it must
    have, `discriminator` with the channels of the images it sees; `networks` replaces single slots, such as those of
    networks that take labels or clips. An algorithm's classmethod `example_arguments()` may give `networks` too, which
    stand where none are given.
    """
    torch.manual_seed(seed)
    example: Any = getattr(algorithm, "example_arguments", dict)
    networks = {**example().get("networks", {}), **(networks or {})}
    output = next(iter(algorithm.outputs.values()))
    enlarging = output.networks[-1] if output.source in algorithm.derived else None
    built = {
        slot: OTHERS[kind]() if kind in OTHERS else generator(TinyDegradation.scale if slot == enlarging else 1)
        for slot, kind in algorithm.slots().items()
        if kind != "discriminators"
    }
    built |= {slot: network for slot, network in networks.items() if slot in built}
    seen = _judged_channels(algorithm, built, arguments)
    built |= {slot: discriminator(seen[slot]) for slot in algorithm.adversaries}
    built |= networks
    adversaries = {slot: Adversary(variant(), 1.0, pool) for slot in algorithm.adversaries}
    for slot, adversary in adversaries.items():
        built[slot] = adversary.variant.accept(built[slot])
    named = [*algorithm.roles, *algorithm.judge_roles]
    roles = [role for role in named if ema is not None or role not in algorithm.averaged_roles]
    made = algorithm(
        Parts(
            networks=built,
            adversaries=adversaries,
            losses={role: [WeightedLoss("distance", Distance())] for role in roles} if losses else {},
            degradation=TinyDegradation() if algorithm.derived else None,
            ema=ema,
        ),
        **arguments,
    )
    made.data_preprocessor.seed(seed)  # pyright: ignore[reportCallIssue]
    return made


def _judged_channels(
    algorithm: type[Algorithm], networks: Mapping[str, nn.Module], arguments: Mapping[str, Any]
) -> dict[str, int]:
    """How many channels each discriminator's images have; spends no random numbers."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        copies = {slot: deepcopy(network) for slot, network in networks.items()}
        parts = Parts(networks=copies, degradation=TinyDegradation() if algorithm.derived else None)
        bare = algorithm(parts, **arguments)
        bare.data_preprocessor.seed(0)  # pyright: ignore[reportCallIssue]
        values = bare.data_preprocessor(batch_for(bare), True)
        bare.prepare(values)
        bare.translate(values)
    return {slot: values[real].shape[-3] for slot, (real, _) in algorithm.adversaries.items()}


def batch_for(algorithm: Algorithm, *, count: int = 2, size: int = 32, seed: int = 0) -> dict[str, Tensor]:
    """Random float images (B, C, H, W) for every input, or for what a degradation makes it from.

    An algorithm of other inputs gives a batch itself: a classmethod `example_inputs(count, size)` that returns a
    dictionary of tensors, as the training step has them. It may draw from torch's global random state.
    """
    example: Any = getattr(algorithm, "example_inputs", None)
    if example is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return dict(example(count, size))
    names = dict.fromkeys(algorithm.derived.get(name, name) for name in algorithm.inputs)
    return {name: images(count, 3, size, size, seed=seed + i) for i, name in enumerate(names)}


def optimizers_for(
    algorithm: Algorithm, *, lr: float = 1e-3, accumulation: int = 1, sgd: bool = False
) -> OptimWrapperDict:
    """One optimizer for each group of parameters."""
    kind: Any = torch.optim.SGD if sgd else torch.optim.Adam
    return OptimWrapperDict(
        **{
            name: OptimWrapper(kind(parameters, lr=lr), accumulative_counts=accumulation)
            for name, parameters in parameter_groups(algorithm).items()
        }
    )


def check_training(algorithm: Algorithm, *, inputs: Sequence[Mapping[str, Any]] | None = None) -> None:
    """One cycle of training steps: `translate` once each, live adversarial gradients, frozen partners, all finite.

    `inputs` holds one batch, as a loader gives it, instead of that of `batch_for`.
    """
    optimizers = optimizers_for(algorithm)
    cycle = max([int(v.d_steps) for v in algorithm.variants.values()], default=1)  # pyright: ignore[reportArgumentType]
    calls = 0
    translate = algorithm.translate

    def counted(values: Any) -> None:
        nonlocal calls
        calls += 1
        translate(values)

    algorithm.translate = counted  # pyright: ignore[reportAttributeAccessIssue]
    before = {name: p.detach().clone() for name, p in algorithm.named_parameters() if p.requires_grad}
    for step in range(cycle):
        batch = batch_for(algorithm, seed=step) if inputs is None else inputs[0]
        logs = algorithm.train_step(batch, optimizers)
        bad = [name for name, value in logs.items() if not torch.isfinite(value)]
        require(not bad, f"{', '.join(bad)} is not finite")
    algorithm.translate = translate  # pyright: ignore[reportAttributeAccessIssue]
    require(calls == cycle, f"translate ran {calls} times in {cycle} iterations")
    parameters = dict(algorithm.named_parameters())
    weights = {name: old for name, old in before.items() if old.ndim > 1}  # a critic's last bias has no gradient
    still = [name for name, old in weights.items() if torch.equal(old, parameters[name])]
    require(not still, f"{', '.join(still[:3])} did not move in {cycle} iterations")


def check_regularizer(regularizer: Regularizer) -> None:
    """It gives a finite scalar, and the discriminator a gradient."""
    torch.manual_seed(0)
    network = TinyDiscriminator()
    regularizer.prepare(network)
    term = regularizer(network, images(4, seed=0), images(4, seed=1))
    require(term.ndim == 0 and bool(torch.isfinite(term)), "a regularizer must give a finite scalar")
    term.backward()
    moved = any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in network.parameters())
    require(moved, "the discriminator gets no gradient; do not detach it")


def check_augmentation(augmentation: Augmentation) -> None:
    """It keeps the shape, changes equal samples each in its own way or not at all, and passes gradients twice."""
    torch.manual_seed(0)
    augmentation.train()
    clean = images(4, seed=0).requires_grad_()
    changed = augmentation(clean)
    require(changed.shape == clean.shape, f"{tuple(clean.shape)} became {tuple(changed.shape)}")
    require(bool(torch.isfinite(changed).all()), "an augmentation must give finite images")
    (slope,) = torch.autograd.grad(changed.square().sum(), clean, create_graph=True)
    require(slope.requires_grad, "no gradient of the gradient passes, which penalties on the slope need")
    augmentation.observe([torch.zeros(4, 1, 2, 2)])


def check_variant(
    variant: Callable[[], GanVariant], discriminator: Callable[[], nn.Module] = TinyDiscriminator
) -> None:
    """The players pull in opposite directions: a step of D lowers D's loss, and G's gradient lowers G's."""
    torch.manual_seed(0)
    objective = variant()
    network = objective.accept(discriminator())
    real, fake = images(4, seed=0), images(4, seed=1)
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.01)
    losses: list[float] = []
    for _ in range(20):
        real_logits, fake_logits = network(objective.show(real)), network(objective.show(fake))
        objective.observe([scale.detach() for scale in real_logits])
        loss = objective.d_loss(real_logits, fake_logits) + sum(objective.penalties(network, real, fake).values())
        require(loss.ndim == 0 and bool(torch.isfinite(loss)), "d_loss and regularize must be finite scalars")
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        objective.finish_step(network)
    require(losses[-1] < losses[0], f"20 steps of D do not lower its loss: {losses[0]:.4f} to {losses[-1]:.4f}")
    fake.requires_grad_()
    real_logits = network(objective.show(real)) if objective.needs_real else None
    adversarial = objective.g_loss(network(objective.show(fake)), real_logits)
    require(adversarial.ndim == 0, "g_loss must be a scalar")
    (gradient,) = torch.autograd.grad(adversarial, fake)
    require(bool(gradient.abs().sum() > 0), "g_loss gives the generator no gradient")
