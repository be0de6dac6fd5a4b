"""Made-up plugins for the tests of plugins."""

from __future__ import annotations

from collections.abc import Callable

Install = Callable[..., None]
"""`install(plugin, source, distribution=plugin, version="1.0")`: a distribution of one module, found as pip's are."""

LOSS_PLUGIN = """
from toolbox import hookimpl

class Zero:
    "Costs nothing."

@hookimpl
def register_losses(register):
    register("Zero", Zero)
"""
