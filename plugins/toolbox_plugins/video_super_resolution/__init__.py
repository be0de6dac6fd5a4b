"""Super-resolution of videos: clips, enlarged by networks that remember, that look around, or that do neither."""

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import VideoSuperResolution

    register("VideoSuperResolution", VideoSuperResolution)
