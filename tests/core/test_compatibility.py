"""A third party's rule over combinations."""

from __future__ import annotations

import pytest

from toolbox.compatibility import check_combination
from toolbox.errors import CompatibilityWarning, ConfigError
from toolbox.plugin_manager import use
from toolbox.registry import registry
from toolbox.testing.objective import LeastSquares
from toolbox.testing.training import assemble


def test_a_plugins_rule_warns_and_refuses(install) -> None:
    algorithm = assemble(registry("algorithms").get("CycleGAN"), LeastSquares)
    install(
        "strict",
        "from toolbox import hookimpl\nfrom toolbox.errors import ConfigError\n@hookimpl\n"
        "def model_built(config, algorithm, warn):\n"
        "    warn('model.ema', 'is missing; averages look better')\n"
        "    if 'seed' in config:\n        raise ConfigError('no seeds here', key='seed')\n",
    )
    use(None)  # plugins are discovered anew
    config = {"model": {"type": "CycleGAN", "variant": {"type": "LSGAN"}}}
    with pytest.warns(CompatibilityWarning, match="model.ema: is missing; averages look better"):
        check_combination(config, algorithm)
    with pytest.warns(CompatibilityWarning), pytest.raises(ConfigError, match="no seeds here"):
        check_combination({**config, "seed": 1}, algorithm)
