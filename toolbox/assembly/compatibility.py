"""Asks every plugin whether what was built goes together, before a run begins."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from toolbox.io.errors import CompatibilityWarning
from toolbox.plugins.manager import manager
from toolbox.training.algorithm import Algorithm

Warn = Callable[[str, str], None]
"""Takes the config's key and one sentence: what is unwise, why, and what to do instead."""


def check_combination(config: Mapping[str, Any], algorithm: Algorithm, *, quiet: bool = False) -> None:
    """Let the plugins' rules (`model_built`) look at config and model; `quiet` keeps the warnings to itself.

    Raises:
        ConfigError: a rule refuses the combination.
    """

    def warn(key: str, message: str) -> None:
        if not quiet:
            warnings.warn(f"{key}: {message}", CompatibilityWarning, stacklevel=2)

    manager().call("model_built", config=config, algorithm=algorithm, warn=warn)
