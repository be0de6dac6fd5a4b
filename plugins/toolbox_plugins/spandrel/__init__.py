"""spandrel's architectures as generators: some forty networks of others, read from their files (an extra)."""

from typing import Any

from toolbox import Register, hookimpl


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import SpandrelNetwork

    register("SpandrelNetwork", SpandrelNetwork)


@hookimpl
def register_formats(register: Register) -> None:
    from .formats import Spandrel

    register("Spandrel", Spandrel)


@hookimpl
def config_loaded(config: dict[str, Any]) -> None:
    """A run keeps what its files said, and needs them no longer than to begin with."""
    model = config.get("model")
    if isinstance(model, dict) and any(isinstance(each, dict) and "file" in each for each in model.values()):
        from .beginning import spell_out

        spell_out(config, model)
