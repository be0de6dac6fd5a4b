"""What the health monitor measures on one batch, without leaving a trace in the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from toolbox import Algorithm, Logits, Values, critic, frozen, unwrapped
from toolbox.config.model_keys import FEATURE_MATCHING
from toolbox.contracts.network import ADVERSARIAL
from toolbox.engine.random_state import undisturbed
from toolbox.training.network_call import uncompiled

POWER_STEPS = 4
"""Power iterations for a layer's largest singular value: within some per cent of it."""
SCALE = 256.0
"""Of losses while gradients are taken: in float16 small ones would vanish; a power of two changes nothing elsewhere."""


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
    algorithm: Algorithm,
    batch: Mapping[str, Any],
    earlier: Iterable[Mapping[str, Any]] = (),
    precision: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> dict[str, Tensor]:
    """Every measure of a batch of the train loader, as scalars by name; call it within `aside`.

    Networks compute in the `precision` of the run's step, and keep of their blocks what `model.checkpointing` says;
    slopes are measured in float32, as penalties are. Of `earlier` batches only the diversity is measured, together with
    this one's: a batch of one image has none.
    """
    values: Values = algorithm.data_preprocessor(batch, False)
    found: dict[str, Tensor] = {}
    with precision():
        found.update(strengths(algorithm, values))
        for slot in algorithm.judged:
            found.update(judgement(algorithm, slot, values))
    for slot in algorithm.judged:
        found.update(slope(algorithm, slot, values))
    found.update(drift(algorithm, values))
    with precision():
        found.update(diversity(algorithm, chain([values], (translated(algorithm, each) for each in earlier))))
    for slot in (*algorithm.networks, *algorithm.judged):
        largest = largest_singular_value(getattr(algorithm, slot))
        if largest is not None:
            found[f"spectral/{slot}"] = largest
    return {name: value.detach().float() for name, value in found.items()}


def strengths(algorithm: Algorithm, values: Values) -> dict[str, Tensor]:
    """Every term of the generators' loss, and the norm of its gradient; adds what `translate` makes to `values`.

    One term at a time: its graph ends at the values and is gone before the next is computed, so that there is never
    more than the generators' own graph and one term's, less than a step of the run needs.
    """
    algorithm.translate(values)
    made: dict[int, tuple[Tensor, Tensor]] = {}
    values.update({name: cut(value, made) for name, value in values.items()})
    parameters = [p for slot in algorithm.networks for p in getattr(algorithm, slot).parameters() if p.requires_grad]
    leaves, found = [leaf for _, leaf in made.values()], {}
    total: list[Tensor | None] = [None] * len(parameters)
    twice = len(algorithm.parts.losses.get(FEATURE_MATCHING, ())) > 1  # its losses look at the same activations
    for name, term in algorithm.generator_terms(values):
        if term.requires_grad:
            given = torch.autograd.grad(term * SCALE, [*leaves, *parameters], retain_graph=twice, allow_unused=True)
            found[f"loss/{name}"] = term.detach()
            del term
            algorithm.shared.clear()
            gradients = through(made, given[: len(leaves)], parameters, given[len(leaves) :])
            found[f"gradient/{name}"] = norm(gradients) / SCALE
            total = added(total, gradients)
            del given, gradients
    found["gradient/generators"] = norm(total) / SCALE
    return found


def cut(value: Any, made: dict[int, tuple[Tensor, Tensor]]) -> Any:
    """A value whose tensors are leaves; those that had a gradient are in `made`, each with its leaf."""
    if isinstance(value, Mapping):
        return {name: cut(each, made) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [cut(each, made) for each in value]
    if not isinstance(value, Tensor) or not value.requires_grad:
        return value
    return made.setdefault(id(value), (value, value.detach().requires_grad_()))[1]


def through(
    made: Mapping[int, tuple[Tensor, Tensor]],
    given: Sequence[Tensor | None],
    parameters: Sequence[Tensor],
    direct: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """Gradients of parameters: those that values hand on, and those that a term has past all values."""
    reached = [(value, each) for (value, _), each in zip(made.values(), given, strict=True) if each is not None]
    if not reached:
        return list(direct)
    found = torch.autograd.grad(
        [value for value, _ in reached], parameters, [each for _, each in reached], retain_graph=True, allow_unused=True
    )
    return added(found, direct)


def added(first: Sequence[Tensor | None], second: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Two lists of gradients added up, None being none."""
    return [b if a is None else a if b is None else a + b for a, b in zip(first, second, strict=True)]


@torch.no_grad()
def translated(algorithm: Algorithm, batch: Mapping[str, Any]) -> Values:
    """The values of a batch, without a graph."""
    values: Values = algorithm.data_preprocessor(batch, False)
    algorithm.translate(values)
    return values


def judgement(algorithm: Algorithm, slot: str, values: Values) -> dict[str, Tensor]:
    """How well a discriminator tells real from fake, and how strong its own gradient is."""
    name = slot.replace("discriminator", "d")
    network, variant = getattr(algorithm, slot), algorithm.variants[slot]
    real, fake = (values[each].detach() for each in algorithm.judged[slot])
    real_logits, fake_logits = (heads[ADVERSARIAL] for heads in algorithm.judge(slot, real=real, fake=fake))
    loss = variant.d_loss(real_logits, fake_logits)  # pyright: ignore[reportCallIssue]
    parameters = [p for p in network.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss * SCALE, parameters, allow_unused=True)
    right_real, right_fake = accuracy(real_logits, fake_logits, variant.boundary)  # pyright: ignore[reportArgumentType]
    gap = critic(real_logits).mean() - critic(fake_logits).mean()
    return {
        f"accuracy_real/{name}": right_real,
        f"accuracy_fake/{name}": right_fake,
        f"gap/{name}": gap.detach(),
        f"loss/{name}": loss.detach(),
        f"gradient/{name}": norm(gradients) / SCALE,
    }


def slope(algorithm: Algorithm, slot: str, values: Values) -> dict[str, Tensor]:
    """The steepest slope of a discriminator between a real image and a fake, where they are of one size."""
    network = getattr(algorithm, slot)
    real, fake = (values[each].detach() for each in algorithm.judged[slot])
    if real.shape != fake.shape:
        return {}
    middle = torch.lerp(real, fake, torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device))
    middle.requires_grad_()
    with frozen(network):
        (gradient,) = torch.autograd.grad(critic(network(middle)).sum(), middle)
    return {f"lipschitz/{slot.replace('discriminator', 'd')}": gradient.flatten(1).norm(dim=1).max()}


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
        means = [channel_means(images) for images in (real, fake)]
        if means[0].shape == means[1].shape:
            shift = means[1] - means[0]
            found[f"brightness/{name}"] = shift.mean()
            found[f"color/{name}"] = (shift - shift.mean()).norm()
    for name, output in algorithm.outputs.items():
        given, made = values.get(output.source), values.get(name)
        if not isinstance(given, Tensor) or not isinstance(made, Tensor) or given.dim() < 4:
            continue
        if given.shape[:-2] == made.shape[:-2]:
            shift = (channel_means(made.detach().float()) - channel_means(given.float())).abs()
            found[f"change/{name}"] = shift.max()
    return found


def channel_means(images: Tensor) -> Tensor:
    """The mean of each channel of images (..., C, H, W), or of vectors (B, C): (C,)."""
    return images.flatten(0, -4).mean((0, 2, 3)) if images.dim() >= 4 else images.mean(0)


def diversity(algorithm: Algorithm, batches: Iterable[Values]) -> dict[str, Tensor]:
    """How different the fakes of some batches are from each other, over the real images: 0 where all are alike."""
    found, seen = {}, {name: [] for names in algorithm.judged.values() for name in names}
    for values in batches:
        for name, each in seen.items():
            each.append(coarse(values[name].detach()))
    for slot, names in algorithm.judged.items():
        real, fake = (torch.cat(seen[name]) for name in names)
        if len(fake) > 1:
            among = spread(real)
            ratio = torch.where(among > 1e-6, spread(fake) / among.clamp_min(1e-6), 1.0)
            found[f"diversity/{slot.replace('discriminator', 'd')}"] = ratio
    return found


def coarse(images: Tensor) -> Tensor:
    """Images (..., C, H, W) seen coarsely, up to 8x8, as vectors: what makes two pictures different, not their grain.

    The frames of a clip are pictures like others.
    """
    images = images.flatten(0, -4) if images.dim() > 4 else images
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
