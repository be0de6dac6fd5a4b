"""CUT's contrastive loss (Park et al., 2020): a patch is to be told from the other patches of its image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox import Loss, UserError

from .activation_lists import layer_by_layer
from .pixel import check_shapes


class PatchNCELoss(Loss):
    """The cross-entropy of finding each query's key among all keys of the same image.

    Park et al. 2020, equation 3, with its temperature: softmax of the dot products / `temperature`, the mean over
    patches, images and layers. Negatives come from the same image alone, the paper's internal patches. Vectors are
    taken as they come: the projector is what brings them to length 1. Keys get no gradient. N patches that cannot be
    told from one another cost log N.
    """

    def __init__(self, *, temperature: float = 0.07) -> None:
        super().__init__()
        if temperature <= 0:
            raise UserError(f"temperature must be above 0, got {temperature}")
        self.temperature = temperature

    def forward(self, queries: Sequence[Tensor], keys: Sequence[Tensor]) -> Tensor:
        """Compare patches (B, N, C) of each layer with those of the same places; a float32 scalar."""
        terms = []
        for query, key in layer_by_layer(queries, keys):
            check_shapes(query, key)
            if query.dim() != 3:
                raise UserError(f"PatchNCELoss takes vectors (B, N, C) for each layer, got {tuple(query.shape)}")
            logits = query @ key.detach().transpose(1, 2) / self.temperature  # (B, N, N)
            own = torch.arange(logits.shape[1], device=logits.device).expand(len(logits), -1)
            terms.append(F.cross_entropy(logits.flatten(0, 1), own.flatten()))
        return torch.stack(terms).mean()

    def extra_repr(self) -> str:
        """As in the config."""
        return f"temperature={self.temperature}"
