"""Checks of the contracts, for the toolbox's own tests and for the authors of plugins.

```python
from toolbox.testing import check_generator

def test_my_generator_keeps_to_the_contract():
    check_generator(MyGenerator(width=8))
```
Each check raises `ContractBroken` (an AssertionError) that says what the contract asks and what was found.
"""

from toolbox.testing.components import (
    ContractBroken,
    check_decoder,
    check_degradation,
    check_discriminator,
    check_encoder,
    check_features,
    check_generator,
    check_loss,
    check_mixture,
    check_style_encoder,
    check_transform,
)
from toolbox.testing.data import check_dataset, check_metric
from toolbox.testing.plugin import Result, check_plugin
from toolbox.testing.runs import check_format, check_hook
from toolbox.testing.training import (
    assemble,
    batch_for,
    check_augmentation,
    check_regularizer,
    check_training,
    check_variant,
    optimizers_for,
)

__all__ = [
    "ContractBroken", "Result", "assemble", "batch_for", "check_augmentation", "check_dataset", "check_decoder",
    "check_degradation", "check_discriminator", "check_encoder", "check_features", "check_format", "check_generator",
    "check_hook", "check_loss", "check_metric", "check_mixture", "check_plugin", "check_regularizer",
    "check_style_encoder", "check_training", "check_transform", "check_variant", "optimizers_for",
]  # fmt: skip
