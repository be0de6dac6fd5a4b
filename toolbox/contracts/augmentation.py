"""What a discriminator's images go through before it sees them, real and fake, in both steps."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from toolbox.contracts.gan_variant import Logits


class Augmentation(nn.Module, ABC):
    """Random changes of a batch that any GAN variant may have: `variant: {type: ..., augmentations: [...]}`.

    Each sample draws its own, from torch's global random state. Gradients must pass, and gradients of gradients too,
    for penalties on the discriminator's slope. State that must survive a resume goes into buffers.
    """

    changes_color: bool = False
    """Whether colours change: the discriminator then tells styles of other colours apart less well."""

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W), or clips (B, T, C, H, W), to the same shape; all frames of a clip are changed alike."""

    def observe(self, real: Logits) -> None:
        """See the logits of the real images, once in each pass of the discriminator's step, without gradients."""
