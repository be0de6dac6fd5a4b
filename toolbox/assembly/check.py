"""The whole check of a config, before anything is built: its structure, its components, the settings of the run."""

from __future__ import annotations

from toolbox.config import Config, check_structure
from toolbox.config.check import Check
from toolbox.engine.settings import check_run_settings
from toolbox.plugins.manager import manager


def check(config: Config) -> None:
    """Raise `ConfigError` for the first thing in the config that cannot work."""
    check_structure(config)
    manager().call("config_loaded", config=config.data)
    components = Check(config)
    components.everything()
    check_run_settings(components)
