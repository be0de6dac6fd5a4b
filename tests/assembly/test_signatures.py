"""A method that cannot be called as its contract asks is refused when the model is built, with its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from made_up import Install
from runs import command, sr_config, write_config
from toolbox.assembly.signatures import FORWARD, VARIANT_CALLS, misfits
from toolbox.plugins.manager import PluginManager, use
from toolbox.testing.networks import TinyDegradation, TinyDiscriminator
from toolbox.testing.objective import LeastSquares

PLUGIN = '''
"""Components whose methods take something else."""

from torch import Tensor, nn

from toolbox import Degradation, GanVariant, Logits, Loss, hookimpl


class Lonely(GanVariant):
    """Its d_loss takes one argument."""

    def d_loss(self, logits: Logits) -> Tensor:
        return logits[0].mean()

    def g_loss(self, fake, real):
        return fake[0].mean()


class Labelled(nn.Module):
    """A discriminator that wants labels."""

    def forward(self, images, labels):
        return [images]


class Three(Loss):
    """Compares three values."""

    def forward(self, a: Tensor, b: Tensor, *, c: Tensor) -> Tensor:
        return a.mean()


class Nothing(Loss):
    """Has no forward."""


class Unseeded(Degradation):
    """Draws from nowhere."""

    scale = 2

    def forward(self, images):
        return images


@hookimpl
def register_gan_variants(register):
    register("Lonely", Lonely)


@hookimpl
def register_discriminators(register):
    register("Labelled", Labelled)


@hookimpl
def register_losses(register):
    register("Three", Three)
    register("Nothing", Nothing)


@hookimpl
def register_degradations(register):
    register("Unseeded", Unseeded)
'''


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            {"variant": {"type": "Lonely"}},
            "model.variant: Lonely.d_loss(logits) cannot be called as the contract asks, d_loss(real, fake): too many "
            "positional arguments",
        ),
        (
            {"discriminator": {"type": "Labelled"}},
            "model.discriminator: Labelled.forward(images, labels) cannot be called as the contract asks, "
            "forward(images): missing a required argument: 'labels'",
        ),
        (
            {"losses": {"pixel": [{"type": "L1Loss"}, {"type": "Three"}]}},
            "model.losses.pixel.1: Three.forward(a, b, *, c) cannot be called as pixel gives, forward(sr, hr): missing "
            "a required",
        ),
        (
            {"losses": {"pixel": {"type": "Nothing"}}},
            "model.losses.pixel: Nothing has no forward to be called as pixel gives, fo",
        ),
        (
            {"degradation": {"type": "Unseeded"}},
            "model.degradation: Unseeded.forward(images) cannot be called as the contract asks, forward(images, rng)",
        ),
    ],
)
def test_a_wrong_signature_is_one_line_before_anything_runs(
    install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str], model: dict[str, Any], said: str
) -> None:
    install("wrong", PLUGIN)
    use(PluginManager())
    config = sr_config(tmp_path, **model)
    assert command("train", write_config(config, tmp_path / "run.yaml"), "--dry-run") == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_what_keeps_to_its_contract_fits() -> None:
    for kind, component in (
        ("gan_variants", LeastSquares()), ("discriminators", TinyDiscriminator()), ("degradations", TinyDegradation()),
    ):  # fmt: skip
        assert list(misfits(kind, component)) == []
    assert set(VARIANT_CALLS) <= set(dir(LeastSquares)) and "generators" not in FORWARD
