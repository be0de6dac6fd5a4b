"""Frame differences (Xu et al., 2021): what changes from frame to frame is what changes in the video."""

from toolbox import Register, hookimpl


@hookimpl
def register_losses(register: Register) -> None:
    from .loss import FrameDifferenceLoss

    register("FrameDifferenceLoss", FrameDifferenceLoss)
