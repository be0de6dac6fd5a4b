"""How the algorithms call networks: frozen, several batches at once, padded to the size a network needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import parametrize

from toolbox.contracts.gan_variant import BATCH_NORMS, Logits
from toolbox.contracts.network import ADVERSARIAL, own_modules, unwrapped
from toolbox.training.misuse import logits_of

Heads = dict[str, Any]
"""What a discriminator says: `adversarial`, its logits, one tensor (B, ...) for each scale; and its other heads."""


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Gradients pass through the networks and none reaches their parameters."""
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


@contextmanager
def unsynchronised(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Forward passes within leave the ranks' gradients apart; the next one outside adds all of them up."""
    with ExitStack() as stack:
        for network in networks:
            if isinstance(network, DistributedDataParallel):
                stack.enter_context(network.no_sync())
        yield


def uncompiled(network: nn.Module) -> AbstractContextManager[None]:
    """Run a compiled network as it is: torch compiles no second derivative, and no hook of an inner module."""
    if unwrapped(network)._compiled_call_impl is None:  # pyright: ignore[reportAttributeAccessIssue]
        return nullcontext()
    return torch.compiler.set_stance("force_eager")


def mixes_samples(network: nn.Module) -> bool:
    """Whether what a network says of an image depends on the others of its batch: it holds batch norm, or says so."""
    return knows_sides(network) or any(isinstance(module, BATCH_NORMS) for _, module in own_modules(network))


def knows_sides(network: nn.Module) -> bool:
    """Whether a discriminator wants to be told which images are real, and which are fakes."""
    return bool(getattr(unwrapped(network), "knows_sides", False))


def alike_apart(network: nn.Module) -> bool:
    """Whether batches seen apart give what they give together: nothing is drawn and no vector moves with a call."""
    moving = any(hasattr(module, "weight_u") or parametrize.is_parametrized(module) for module in network.modules())
    return not moving and not any(isinstance(module, _DropoutNd) for module in network.modules())


def judge(discriminator: nn.Module, sides: Mapping[str, Tensor], *, apart: bool = False) -> list[Heads]:
    """What a discriminator says of the images of each side, `real` or `fake`, by head; in one forward if shapes agree.

    `apart` is for discriminators with batch norm: they see real and fake apart, as in the generators' step, where
    fakes come alone; one trained on their joint statistics would meet other ones there.
    """
    batches = list(sides.values())
    if knows_sides(discriminator):
        return [heads_of(discriminator, discriminator(batch, side=side)) for side, batch in sides.items()]
    if not apart and len({batch.shape[1:] for batch in batches}) == 1:
        heads = heads_of(discriminator, discriminator(torch.cat(batches)))
        sizes = [len(batch) for batch in batches]
        split = {head: _split(said, sizes) for head, said in heads.items()}
        return [{head: each[i] for head, each in split.items()} for i in range(len(batches))]
    return [heads_of(discriminator, discriminator(batch)) for batch in batches]


def heads_of(discriminator: nn.Module, said: Any) -> Heads:
    """A discriminator's answer by head; logits alone are the adversarial one."""
    heads = dict(said) if isinstance(said, Mapping) else {ADVERSARIAL: said}
    return heads | {ADVERSARIAL: list(logits_of(discriminator, heads.get(ADVERSARIAL)))}


def _split(said: Any, sizes: list[int]) -> list[Any]:
    """A head's answer, a tensor or one for each scale, in parts of the batch."""
    if isinstance(said, Tensor):
        return list(said.split(sizes))
    parts = [scale.split(sizes) for scale in said]  # by scale, then by batch
    return [[scale[i] for scale in parts] for i in range(len(sizes))]


def only_adversarial(discriminator: nn.Module) -> nn.Module:
    """The discriminator as objectives and penalties see it: images to logits, whatever other heads it has."""
    return _OneHead(discriminator) if getattr(unwrapped(discriminator), "heads", ()) else discriminator


class _OneHead(nn.Module):
    """A discriminator with several heads, of which only the adversarial one is heard."""

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, images: Tensor) -> Logits:
        """(B, C, H, W) to logits, one tensor (B, ...) for each scale."""
        return self.discriminator(images)[ADVERSARIAL]


def call_padded(network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Call a generator on images (B, C, H, W) of any size: padded to its `multiple`, the result cropped back."""
    multiple, scale = int(getattr(network, "multiple", 1)), int(getattr(network, "scale", 1))
    height, width = images.shape[-2:]
    return cropped(network(padded(images, multiple)), height * scale, width * scale)


def padded(images: Tensor, multiple: int) -> Tensor:
    """Images (..., C, H, W) continued right and below, mirrored where they are large enough, to multiples."""
    height, width = images.shape[-2:]
    right, below = -width % multiple, -height % multiple
    if not (right or below):
        return images
    mode = "reflect" if right < width and below < height else "replicate"
    flat = images.flatten(0, -4) if images.dim() > 4 else images  # torch pads the last two sizes of four
    return pad(flat, (0, right, 0, below), mode=mode).unflatten(0, images.shape[:-3])


def cropped(images: Tensor, height: int, width: int) -> Tensor:
    """The upper left part of images (..., C, H, W)."""
    return images[..., :height, :width]
