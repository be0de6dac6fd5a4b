"""Configs: read from YAML without running code, merged, and checked before anything is built. No torch here."""

from __future__ import annotations

from toolbox.config.load import Config, load_config, naming_the_file
from toolbox.config.options import apply_options, parse_option
from toolbox.config.shipped import find_config
from toolbox.config.signature import check_arguments
from toolbox.config.structure import check_structure

__all__ = [
    "Config",
    "apply_options",
    "check_arguments",
    "check_structure",
    "find_config",
    "load_config",
    "naming_the_file",
    "parse_option",
]
