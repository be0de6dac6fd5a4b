"""Watches the health of a GAN while it trains: measures, verdicts in plain words, a dashboard, and first aid."""

from toolbox import Register, hookimpl


@hookimpl
def register_hooks(register: Register) -> None:
    from .hook import HealthMonitor

    register("HealthMonitor", HealthMonitor)
