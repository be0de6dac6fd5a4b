"""Videos as data: clips out of films and folders of frames, and damage as cameras and codecs do it over time."""

from toolbox import Register, hookimpl


@hookimpl
def register_datasets(register: Register) -> None:
    from .dataset import VideoClips

    register("VideoClips", VideoClips)


@hookimpl
def register_degradations(register: Register) -> None:
    from .degradation import VideoDegradation

    register("VideoDegradation", VideoDegradation)
