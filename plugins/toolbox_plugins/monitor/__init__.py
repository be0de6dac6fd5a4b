"""Watches the health of a GAN while it trains: measures, verdicts in plain words, a dashboard, and first aid."""

from toolbox import hookimpl
from toolbox.hookspecs import Register


@hookimpl
def register_hooks(register: Register) -> None:
    from .hook import HealthMonitor

    register("HealthMonitor", HealthMonitor)
