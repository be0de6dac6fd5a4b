"""Losses between the pixels of a prediction and its target."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from toolbox import Loss, UserError


class L1Loss(Loss):
    """The mean absolute difference. In [0, 1] it is half of what it is in [-1, 1]."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare two tensors of one shape; a float32 scalar."""
        check_shapes(prediction, target)
        return F.l1_loss(prediction.float(), target.float())


class MSELoss(Loss):
    """The mean squared difference. In [0, 1] it is a quarter of what it is in [-1, 1]."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare two tensors of one shape; a float32 scalar."""
        check_shapes(prediction, target)
        return F.mse_loss(prediction.float(), target.float())


class CharbonnierLoss(Loss):
    """The mean of sqrt(d^2 + eps), an L1 that is smooth at d = 0 (Lai et al. 2017).

    `eps` is added inside the root as it is, like BasicSR's (1e-12); in the paper it is squared there (1e-3, so that
    `eps: 1.0e-6` is the paper's).
    """

    def __init__(self, *, eps: float = 1e-12) -> None:
        super().__init__()
        if eps <= 0:
            raise UserError(f"eps must be above 0, got {eps}")
        self.eps = eps

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare two tensors of one shape; a float32 scalar."""
        check_shapes(prediction, target)
        return (prediction.float() - target.float()).square().add(self.eps).sqrt().mean()

    def extra_repr(self) -> str:
        """As in the config."""
        return f"eps={self.eps}"


def check_shapes(prediction: Tensor, target: Tensor) -> None:
    """Refuse shapes that PyTorch would silently broadcast: the loss would be a number, and wrong."""
    if prediction.shape != target.shape:
        raise UserError(
            f"a loss compares tensors of one shape, got {tuple(prediction.shape)} and {tuple(target.shape)}: "
            "do the generator's scale and channels fit the data?"
        )
