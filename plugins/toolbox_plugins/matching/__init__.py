"""What moved from one frame to the next, found by comparing blocks: no weights, no download, no other library."""

from toolbox import Register, hookimpl


@hookimpl
def register_losses(register: Register) -> None:
    from .loss import WarpingLoss

    register("WarpingLoss", WarpingLoss)
