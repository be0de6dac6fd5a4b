"""Contract checks of single components: each calls the component on a small batch and looks at what comes back."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from toolbox.contracts.dataset import Transform
from toolbox.contracts.degradation import Degradation
from toolbox.contracts.mixture import Mixture
from toolbox.contracts.network import ADVERSARIAL
from toolbox.training.network_call import heads_of


class ContractBroken(AssertionError):
    """A component does not do what its contract asks."""


def require(condition: Any, message: str) -> None:
    """Raise `ContractBroken` unless the condition holds."""
    if not condition:
        raise ContractBroken(message)


def images(count: int = 2, channels: int = 3, height: int = 32, width: int = 32, seed: int = 0) -> Tensor:
    """Smooth random images (B, C, H, W) in [0, 1]."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, channels, max(2, height // 8), max(2, width // 8), generator=rng)
    return nn.functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)


def check_generator(
    network: nn.Module, *, channels: int = 3, size: int = 32, inputs: Sequence[Any] | None = None
) -> None:
    """Size, range of types, padding multiple, one sample independent of the others, gradients to every parameter.

    What it is given stays as it is.
    `inputs`, here and in the other checks, are what `forward` is called with instead of made-up images.
    """
    scale, multiple = getattr(network, "scale", 1), getattr(network, "multiple", 1)
    require(isinstance(scale, int) and scale >= 1, f"scale must be a whole number, got {scale!r}")
    require(isinstance(multiple, int) and multiple >= 1, f"multiple must be a whole number, got {multiple!r}")
    height, width = -(-size // multiple) * multiple, -(-(size + 8) // multiple) * multiple
    given = [images(2, channels, height, width)] if inputs is None else list(inputs)
    batch = given[0]
    count, height, width = len(batch), *batch.shape[-2:]
    before = batch.clone()
    network.train()
    result = network(*given)
    require(torch.equal(batch, before), "forward writes into the images that it is given")
    require(isinstance(result, Tensor), f"forward must return a tensor of images, got {type(result).__name__}")
    wanted = (count, *result.shape[1:-2], height * scale, width * scale)
    require(
        tuple(result.shape) == wanted, f"images {tuple(batch.shape)} must become {wanted}, got {tuple(result.shape)}"
    )
    require(torch.isfinite(result).all(), "the result holds NaN or infinity")
    check_gradients(network, result.square().mean())
    network.eval()
    with torch.no_grad():
        together, alone = network(*given)[:1], network(*(each[:1] for each in given))
    require(
        torch.allclose(together, alone, atol=1e-4), "in eval mode an image's result depends on the rest of its batch"
    )


def check_discriminator(
    network: nn.Module, *, channels: int = 3, size: int | None = None, inputs: Sequence[Any] | None = None
) -> None:
    """A list of logits per image, every named head, live gradients to the images and to every parameter."""
    side: int = size or getattr(network, "image_size", 128)
    batch = (images(2, channels, side, side) if inputs is None else inputs[0].clone()).requires_grad_()
    network.train()
    said = network(batch)
    names = [ADVERSARIAL, *getattr(network, "heads", ())]
    named = isinstance(said, Mapping) and sorted(said) == sorted(names)
    require(
        named or (names == [ADVERSARIAL] and not isinstance(said, Mapping)),
        f"its heads are {', '.join(names)}, and forward must return a mapping of these",
    )
    logits, *others = [said[name] for name in names] if isinstance(said, Mapping) else [said]
    require(isinstance(logits, (list, tuple)) and logits, "forward must return a list of logits, one tensor per scale")
    for scale in logits:
        require(
            isinstance(scale, Tensor) and scale.shape[0] == len(batch), "each scale's logits must be a tensor (B, ...)"
        )
    every = [*logits, *(each for said in others for each in (said if isinstance(said, (list, tuple)) else [said]))]
    check_gradients(network, torch.stack([(scale * torch.randn_like(scale)).mean() for scale in every]).sum())
    require(batch.grad is not None and batch.grad.abs().sum() > 0, "no gradient reaches the images")
    if getattr(network, "knows_sides", False):
        _check_sides(network, batch.detach())


def _check_sides(network: nn.Module, batch: Tensor) -> None:
    """One that knows sides takes both, and without one says the same of an image alone as among others."""
    for side in ("real", "fake"):
        network(batch, side=side)
    network.eval()
    with torch.no_grad():
        together, alone = (heads_of(network, network(each))[ADVERSARIAL][0] for each in (batch, batch[:1]))
    same = torch.allclose(together[:1], alone, atol=1e-4)
    require(same, "without a side, an image's logits depend on the rest of its batch")


def check_encoder(
    network: nn.Module, *, channels: int = 3, size: int = 32, inputs: Sequence[Any] | None = None
) -> None:
    """The code's channels and size, one image independent of the others, gradients to every parameter."""
    multiple = getattr(network, "multiple", 1)
    require(isinstance(multiple, int) and multiple >= 1, f"multiple must be a whole number, got {multiple!r}")
    width: Any = getattr(network, "channels", None)
    require(isinstance(width, int), f"`channels` must say how many the code has, got {width!r}")
    side = -(-size // multiple) * multiple
    given = [images(2, channels, side, side + multiple)] if inputs is None else list(inputs)
    code = network.train()(*given)
    shape, count = tuple(getattr(code, "shape", ())), len(given[0])
    require(
        len(shape) == 4 and shape[:2] == (count, width), f"forward must return ({count}, {width}, h, w), got {shape}"
    )
    require(torch.isfinite(code).all(), "the code holds NaN or infinity")
    check_gradients(network, (code * torch.randn_like(code)).mean())


def check_style_encoder(network: nn.Module, *, channels: int = 3, inputs: Sequence[Any] | None = None) -> None:
    """A vector for each image of any size, gradients to every parameter."""
    width: Any = getattr(network, "style_channels", None)
    require(isinstance(width, int), f"`style_channels` must say how many numbers a style has, got {width!r}")
    for batch in [images(2, channels, side, side) for side in (64, 96)] if inputs is None else [inputs[0]]:
        style = network.train()(batch)
        shape = tuple(getattr(style, "shape", ()))
        require(shape == (len(batch), width), f"forward must return ({len(batch)}, {width}), got {shape}")
        check_gradients(network, (style * torch.randn_like(style)).mean())


def check_decoder(network: nn.Module, *, size: int = 8, inputs: Sequence[Any] | None = None) -> None:
    """Images from a code, and from a style where it takes one; gradients to every parameter."""
    width, style_width = getattr(network, "channels", None), getattr(network, "style_channels", 0)
    require(isinstance(width, int), f"`channels` must say how many the code has, got {width!r}")
    require(isinstance(style_width, int), f"`style_channels` must be a whole number, got {style_width!r}")
    code = torch.randn(2, width, size, size + 4)  # pyright: ignore[reportCallIssue, reportArgumentType]
    style = [torch.randn(2, style_width)] if style_width else []
    code, *style = [code, *style] if inputs is None else inputs
    made = network.train()(code, *style)
    shape, (count, _, height, width) = tuple(getattr(made, "shape", ())), code.shape
    fits = len(shape) == 4 and shape[0] == count and shape[2] * width == shape[3] * height
    require(fits, f"a code of {height}x{width} must become ({count}, C, f*{height}, f*{width}), got {shape}")
    require(torch.isfinite(made).all(), "the result holds NaN or infinity")
    check_gradients(network, (made * torch.randn_like(made)).mean())


def check_gradients(network: nn.Module, loss: Tensor) -> None:
    """Every trainable parameter gets a finite gradient."""
    network.zero_grad()
    loss.backward()
    without = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    require(not without, f"no gradient reaches {', '.join(without[:3])}; distributed training would hang or diverge")
    bad = [name for name, p in network.named_parameters() if p.grad is not None and not torch.isfinite(p.grad).all()]
    require(not bad, f"the gradient of {', '.join(bad[:3])} is not finite")
    network.zero_grad()


def check_loss(loss: nn.Module, *, channels: int = 3, inputs: Sequence[Any] | None = None) -> None:
    """A scalar, nothing trainable, a live gradient; of made-up images, equal ones cost less than different ones."""
    require(not any(p.requires_grad for p in loss.parameters()), "a loss has no trainable parameters; freeze them")
    target = images(2, channels, 64, 64)
    taken = [p for p in inspect.signature(loss.forward).parameters.values() if p.default is p.empty]
    others = [target] * (1 if any(p.kind is p.VAR_POSITIONAL for p in taken) else len(taken) - 1)
    given = [images(2, channels, 64, 64, seed=1), *others] if inputs is None else list(inputs)
    given[0], leaves = _leaves(given[0])
    value = loss(*given)
    require(isinstance(value, Tensor) and value.ndim == 0, "forward must return a scalar tensor")
    require(bool(torch.isfinite(value)), "the loss is not finite")
    require(value.requires_grad, "no gradient reaches the first value; do not detach it")
    value.backward()
    moved = any(leaf.grad is not None and leaf.grad.abs().sum() > 0 for leaf in leaves)
    require(moved, "no gradient reaches the prediction")
    if others and inputs is None:
        dearer = loss(target, *others).item() > value.item()
        require(not dearer, "equal images cost more than different ones; if that is meant, give it example_inputs()")


def _leaves(value: Any) -> tuple[Any, list[Tensor]]:
    """A value, tensor or list of them, that gradients can be taken to, and its tensors."""
    if isinstance(value, (list, tuple)):
        pairs = [_leaves(each) for each in value]
        return [each for each, _ in pairs], [leaf for _, leaves in pairs for leaf in leaves]
    leaf = value.detach().clone().requires_grad_()
    return leaf, [leaf]


def check_degradation(degradation: Degradation, *, channels: int = 3, inputs: Sequence[Any] | None = None) -> None:
    """Size, range, randomness from the passed generator alone, and per sample."""
    scale = degradation.scale
    one = images(1, channels, 16 * scale, 16 * scale) if inputs is None else inputs[0][:1]
    same = torch.cat([one, one])
    first = degradation(same, torch.Generator().manual_seed(1))
    wanted = (2, *one.shape[1:-2], one.shape[-2] // scale, one.shape[-1] // scale)
    require(tuple(first.shape) == wanted, f"images {tuple(same.shape)} must become {wanted}, got {tuple(first.shape)}")
    require(bool(((first >= 0) & (first <= 1)).all()), "the result leaves [0, 1]")
    torch.manual_seed(7)
    again = degradation(same, torch.Generator().manual_seed(1))
    require(torch.equal(first, again), "the same generator state gives another result: draw from `rng` alone")
    other = degradation(same, torch.Generator().manual_seed(2))
    if not torch.equal(first, other):
        require(not torch.equal(first[0], first[1]), "the samples of a batch share their random numbers")


def check_features(network: nn.Module, *, inputs: Sequence[Any] | None = None) -> None:
    """Frozen, gives the layers asked for, passes gradients on to the images."""
    require(not any(p.requires_grad for p in network.parameters()), "a feature network must be frozen")
    layers: Any = getattr(network, "layers", ())
    require(layers, "`layers` must name every layer that forward knows")
    batch = (images(1, 3, 64, 64) if inputs is None else inputs[0].clone()).requires_grad_()
    found = network(batch, layers=[layers[0]])
    require(set(found) == {layers[0]}, f"asked for {layers[0]}, got {', '.join(found)}")
    found[layers[0]].square().mean().backward()
    require(batch.grad is not None and batch.grad.abs().sum() > 0, "no gradient reaches the images")


def check_mixture(mixture: Mixture) -> None:
    """Pairs keep sizes and range, input and target change at one place, the same from the same random numbers."""
    target = images(4, 3, 32, 48)
    given = {"lr": torch.nn.functional.avg_pool2d(target, 2), "hr": target}
    kept = {name: value.clone() for name, value in given.items()}
    mixture.probability = 1.0
    first, again = (mixture.mix(given, torch.Generator().manual_seed(1)) for _ in range(2))
    require(all(torch.equal(given[name], kept[name]) for name in kept), "it writes into the images it is given")
    for name, value in first.items():
        require(value.shape == given[name].shape, f"{name} {tuple(given[name].shape)} became {tuple(value.shape)}")
        inside = bool(torch.isfinite(value).all()) and float(value.min()) >= 0 and float(value.max()) <= 1
        require(inside, f"{name} leaves [0, 1]")
        require(torch.equal(value, again[name]), "the same generator gives another result: draw from `rng` alone")


def check_transform(
    transform: Transform, names: tuple[str, ...] = ("hr",), *, inputs: Sequence[Mapping[str, Any]] | None = None
) -> None:
    """uint8 images (H, W, C) in and out, the sizes that it foretells, the same result from the same random numbers."""
    picture = (images(1, 3, 320, 320)[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    sample = {name: picture for name in names} if inputs is None else dict(inputs[0])
    given = {name: np.copy(value) for name, value in sample.items()}
    first = transform(dict(given), np.random.default_rng(0))
    kept = all(np.array_equal(given[name], value) for name, value in sample.items())
    require(kept, "it writes into the images it is given, which may be a cache's: make new arrays")
    if inputs is None:
        told = transform.sizes_after(dict.fromkeys(names, (320, 320)))
        made = {name: image.shape[:2] for name, image in first.items()}
        require(told is None or told == made, f"sizes_after says {told}, and the images have {made}")
    again = transform({name: np.copy(value) for name, value in sample.items()}, np.random.default_rng(0))
    for name, image in first.items():
        pixels = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim >= 3
        require(pixels or inputs is not None, f"{name} must stay (H, W, C) uint8")
        require(np.array_equal(image, again[name]), "the same generator gives another result: draw from `rng` alone")
