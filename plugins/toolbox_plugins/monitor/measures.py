"""What the health monitor measures on one batch, without leaving a trace in the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from toolbox import Algorithm, Logits, Values, critic, unwrapped
from toolbox.engine.random_state import undisturbed
from toolbox.training.network_call import uncompiled

POWER_STEPS = 4
"""Power iterations for a layer's largest singular value: within some per cent of it."""


@contextmanager
def aside(algorithm: Algorithm) -> Iterator[None]:
    """Networks in evaluation mode, without the ranks' wrappers; random numbers and modes are as before at the end.

    In evaluation mode neither batch norm's statistics nor spectral norm's vectors move. Logits that one step keeps for
    the next (`model.one_graph`) are put away; a critic's iteration is looked at like a generator's.
    """
    wrapped = {name: child for name, child in algorithm.named_children() if isinstance(child, DistributedDataParallel)}
    modes = [(module, module.training) for module in algorithm.modules()]
    kept = algorithm.shared, algorithm._translating_for_generators
    with ExitStack() as stack:
        stack.enter_context(undisturbed())
        for slot in (*algorithm.networks, *algorithm.judged):
            stack.enter_context(uncompiled(getattr(algorithm, slot)))
        try:
            for name, child in wrapped.items():
                setattr(algorithm, name, child.module)
            algorithm.eval()
            algorithm.shared, algorithm._translating_for_generators = {}, True
            yield
        finally:
            algorithm.shared, algorithm._translating_for_generators = kept
            for name, child in wrapped.items():
                setattr(algorithm, name, child)
            for module, training in modes:
                module.training = training


def health(
    algorithm: Algorithm, batch: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Tensor]:
    """Every measure of a batch of the train loader, as scalars by name; call it within `aside`.

    Of `earlier` batches only the diversity is measured, together with this one's: a batch of one image has none.
    """
    values: Values = algorithm.data_preprocessor(batch, False)
    algorithm.translate(values)
    found: dict[str, Tensor] = {}
    parameters = [p for slot in algorithm.networks for p in getattr(algorithm, slot).parameters() if p.requires_grad]
    terms = {name: term for name, term in algorithm.generator_terms(values).items() if term.requires_grad}
    total: list[Tensor | None] = [None] * len(parameters)
    for name, term in terms.items():
        gradients = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
        found[f"loss/{name}"] = term
        found[f"gradient/{name}"] = norm(gradients)
        total = [b if a is None else a if b is None else a + b for a, b in zip(total, gradients, strict=True)]
    found["gradient/generators"] = norm(total)
    for slot in algorithm.judged:
        found.update(judgement(algorithm, slot, values))
    found.update(drift(algorithm, values))
    found.update(diversity(algorithm, [values, *(translated(algorithm, each) for each in earlier)]))
    for slot in (*algorithm.networks, *algorithm.judged):
        largest = largest_singular_value(getattr(algorithm, slot))
        if largest is not None:
            found[f"spectral/{slot}"] = largest
    return {name: value.detach().float() for name, value in found.items()}


@torch.no_grad()
def translated(algorithm: Algorithm, batch: Mapping[str, Any]) -> Values:
    """The values of a batch, without a graph."""
    values: Values = algorithm.data_preprocessor(batch, False)
    algorithm.translate(values)
    return values


def judgement(algorithm: Algorithm, slot: str, values: Values) -> dict[str, Tensor]:
    """How well a discriminator tells real from fake, how steep it is, and how strong its own gradient is."""
    name = slot.replace("discriminator", "d")
    network, variant = getattr(algorithm, slot), algorithm.variants[slot]
    real, fake = (values[each].detach() for each in algorithm.judged[slot])
    real_logits, fake_logits = (network(variant.show(images)) for images in (real, fake))  # pyright: ignore[reportCallIssue]
    loss = variant.d_loss(real_logits, fake_logits)  # pyright: ignore[reportCallIssue]
    gradients = torch.autograd.grad(loss, [p for p in network.parameters() if p.requires_grad], allow_unused=True)
    right_real, right_fake = accuracy(real_logits, fake_logits, variant.boundary)  # pyright: ignore[reportArgumentType]
    gap = critic(real_logits).mean() - critic(fake_logits).mean()
    found = {
        f"accuracy_real/{name}": right_real,
        f"accuracy_fake/{name}": right_fake,
        f"gap/{name}": gap,
        f"loss/{name}": loss,
        f"gradient/{name}": norm(gradients),
    }
    if real.shape == fake.shape:
        middle = torch.lerp(real, fake, torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device))
        middle.requires_grad_()
        (slope,) = torch.autograd.grad(critic(network(middle)).sum(), middle)
        found[f"lipschitz/{name}"] = slope.flatten(1).norm(dim=1).max()
    return found


def accuracy(real: Logits, fake: Logits, boundary: float | None) -> tuple[Tensor, Tensor]:
    """Shares of real and of fake logits on their side of the boundary, or of the middle between their means."""
    right: list[list[Tensor]] = [[], []]
    for r, f in zip(real, fake, strict=True):
        at = (r.mean() + f.mean()) / 2 if boundary is None else boundary
        right[0].append((r > at).float().mean())
        right[1].append((f < at).float().mean())
    return torch.stack(right[0]).mean(), torch.stack(right[1]).mean()


def drift(algorithm: Algorithm, values: Values) -> dict[str, Tensor]:
    """Brightness and colour of the fakes beside the real ones, and how far outputs moved from their inputs.

    `change` is the largest shift of a channel's mean from input to output.
    """
    found = {}
    for slot, (real_name, fake_name) in algorithm.judged.items():
        name = slot.replace("discriminator", "d")
        real, fake = values[real_name].detach().float(), values[fake_name].detach().float()
        means = [images.mean((0, 2, 3)) if images.dim() == 4 else images.mean(0) for images in (real, fake)]
        if means[0].shape == means[1].shape:
            shift = means[1] - means[0]
            found[f"brightness/{name}"] = shift.mean()
            found[f"color/{name}"] = (shift - shift.mean()).norm()
    for name, output in algorithm.outputs.items():
        given, made = values.get(output.source), values.get(name)
        if not isinstance(given, Tensor) or not isinstance(made, Tensor) or given.dim() != 4:
            continue
        if given.shape[:2] == made.shape[:2]:
            shift = (made.detach().float().mean((0, 2, 3)) - given.float().mean((0, 2, 3))).abs()
            found[f"change/{name}"] = shift.max()
    return found


def diversity(algorithm: Algorithm, batches: Sequence[Values]) -> dict[str, Tensor]:
    """How different the fakes of some batches are from each other, over the real images: 0 where all are alike."""
    found = {}
    for slot, names in algorithm.judged.items():
        real, fake = (torch.cat([coarse(values[name].detach()) for values in batches]) for name in names)
        if len(fake) > 1:
            among = spread(real)
            ratio = torch.where(among > 1e-6, spread(fake) / among.clamp_min(1e-6), 1.0)
            found[f"diversity/{slot.replace('discriminator', 'd')}"] = ratio
    return found


def coarse(images: Tensor) -> Tensor:
    """Images (B, C, H, W) seen coarsely, up to 8x8, as vectors: what makes two pictures different, not their grain."""
    size = (min(images.shape[-2], 8), min(images.shape[-1], 8))
    return nn.functional.adaptive_avg_pool2d(images.float(), size).flatten(1)


def spread(vectors: Tensor) -> Tensor:
    """Root-mean-square distance between vectors (B, N), for each of their N numbers."""
    return (2 * vectors.var(0, unbiased=True).mean()).sqrt()


def norm(gradients: Iterable[Tensor | None]) -> Tensor:
    """Norm of all gradients together; those of parameters that a loss does not reach are None."""
    norms = [gradient.norm() for gradient in gradients if gradient is not None]
    return torch.stack(norms).norm() if norms else torch.zeros(())


@torch.no_grad()
def largest_singular_value(network: nn.Module) -> Tensor | None:
    """The largest of all layers' largest singular values, by a few power iterations from fixed vectors."""
    found = []
    for module in unwrapped(network).modules():
        weight = getattr(module, "weight", None)
        if isinstance(module, (nn.Conv2d, nn.Linear, nn.ConvTranspose2d)) and isinstance(weight, Tensor):
            matrix = (weight.transpose(0, 1) if isinstance(module, nn.ConvTranspose2d) else weight).flatten(1).float()
            vector = torch.ones(matrix.shape[1], device=matrix.device)
            for _ in range(POWER_STEPS):
                vector = nn.functional.normalize(matrix.t() @ (matrix @ vector), dim=0)
            found.append((matrix @ vector).norm())
    return torch.stack(found).max() if found else None
