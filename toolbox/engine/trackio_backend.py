"""Curves to trackio, for which mmengine has no backend: `{type: TrackioVisBackend, project: gan}`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
from mmengine.registry import VISBACKENDS
from mmengine.visualization.vis_backend import BaseVisBackend, force_init_env

RENAMED = {"time": "seconds", "step": "iteration"}
"""Names that trackio keeps for its own."""


@VISBACKENDS.register_module()
class TrackioVisBackend(BaseVisBackend):
    """Scalars and pictures to a database of trackio's on this machine, which `trackio show` opens.

    Args:
        save_dir: the run's folder; trackio keeps its own in `TRACKIO_DIR`.
        project: the project's name; runs of one project are shown together.
        init_kwargs: what else `trackio.init` takes: `name`, `group`, `space_id`.
    """

    def __init__(self, save_dir: str, project: str = "gan-toolbox", init_kwargs: dict[str, Any] | None = None) -> None:
        super().__init__(save_dir)
        self.project, self.init_kwargs = project, init_kwargs or {}
        self._trackio: Any = None
        self._run: Any = None

    def _init_env(self) -> None:
        self._trackio = import_module("trackio")
        self._run = self._trackio.init(project=self.project, **{"embed": False, **self.init_kwargs})

    @property
    @force_init_env
    def experiment(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """trackio's run."""
        return self._run

    @force_init_env
    def add_image(self, name: str, image: np.ndarray, step: int = 0, **kwargs: Any) -> None:
        """A picture (H, W, C) of 8 bits."""
        self._run.log({name: self._trackio.Image(image)}, step=step)

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """One number."""
        self._run.log({name: float(value)}, step=step)

    @force_init_env
    def add_scalars(
        self, scalar_dict: Mapping[str, Any], step: int = 0, file_path: str | None = None, **kwargs: Any
    ) -> None:
        """Numbers of one step."""
        self._run.log({RENAMED.get(name, name): float(value) for name, value in scalar_dict.items()}, step=step)

    def close(self) -> None:
        """Write what is left."""
        if self._run is not None:
            self._run.finish()
            self._run, self._env_initialized = None, False
