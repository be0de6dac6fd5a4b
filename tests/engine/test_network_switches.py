"""Compiled, recomputed and shared graphs give the weights that the plain training gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch._dynamo
from torch import nn

from matrix import CELLS, VARIANTS, algorithm_class, halved
from runs import command, sr_config, weights, write_config
from toolbox.io.errors import ConfigError
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox.training.algorithm import Algorithm
from toolbox.training.finishing import compile_in_place, recompute_blocks
from toolbox_plugins.cnn.generator import ResidualCNN
from toolbox_plugins.cyclegan.discriminator import PatchDiscriminator
from toolbox_plugins.srgan.srresnet import SRResNet


class Blocks(nn.Module):
    """Two blocks with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = 1
        blocks = (nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh(), nn.Dropout(0.5)) for _ in range(2))
        self.body = nn.Sequential(*blocks)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images + self.body(images)


def trained(
    algorithm: str, variant: str, change: Callable[[Algorithm], Any] = lambda model: None, **arguments: Any
) -> Algorithm:
    """Four iterations in float64 without sampled noise in the images; `change` is applied before."""
    model = assemble(algorithm_class(algorithm), VARIANTS[variant], **arguments).double()
    change(model)
    torch.manual_seed(0)
    optimizers = optimizers_for(model, sgd=True, lr=0.05)
    cycle = max(int(v.d_steps) for v in model.variants.values())  # pyright: ignore[reportArgumentType]
    for step in range(2 * cycle):
        given = batch_for(model, seed=step)
        batch = {name: value.double() if value.is_floating_point() else value for name, value in given.items()}
        batch |= {name: halved(batch[source]) for name, source in model.derived.items()}
        model.train_step(batch, optimizers)
    return model


def difference(first: nn.Module, second: nn.Module) -> float:
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


# ---------------------------------------------------------------------- activation checkpointing


def test_recomputed_blocks_give_bit_equal_weights_and_leave_the_average_apart() -> None:
    def blocks(scale: int) -> nn.Module:
        return Blocks()

    plain = trained("CycleGAN", "LSGAN", generator=blocks, ema=0.5)

    def built(scale: int) -> nn.Module:
        network = Blocks()
        recompute_blocks(network, ["body.*"])
        return network

    recomputed = trained("CycleGAN", "LSGAN", generator=built, ema=0.5)
    assert difference(plain, recomputed) == 0
    assert list(plain.state_dict()) == list(recomputed.state_dict())
    generator: Any = recomputed.generator_ab
    average: Any = recomputed.generator_ab_ema
    assert average.body[0].forward.args[0].__self__ is average.body[0], "the average computes with the network's blocks"
    assert not torch.equal(generator.body[0][0].weight, average.body[0][0].weight)


def test_recomputation_passes_second_derivatives() -> None:
    def built(_: int) -> nn.Module:
        network = PatchDiscriminator(width=8, layers=1)
        recompute_blocks(network, ["model.0", "model.2"])
        return network

    plain = trained("SRGAN", "WGANGP", discriminator=lambda _: PatchDiscriminator(width=8, layers=1))
    assert difference(plain, trained("SRGAN", "WGANGP", discriminator=built)) < 1e-12


def test_recomputation_keeps_only_the_inputs_of_blocks() -> None:
    def saved_by(network: nn.Module) -> int:
        kept: list[int] = []

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            kept.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            network(torch.rand(1, 3, 32, 32)).sum().backward()
        return sum(kept)

    plain, recomputed = SRResNet(width=8, blocks=8, scale=2), SRResNet(width=8, blocks=8, scale=2)
    recompute_blocks(recomputed, ["body.*"])
    assert saved_by(recomputed) < 0.75 * saved_by(plain)


def test_what_changes_in_forward_is_not_recomputed() -> None:
    with pytest.raises(ConfigError, match="keeps statistics or takes power iterations"):
        recompute_blocks(PatchDiscriminator(width=8, layers=2, norm="batch"), ["model"])
    spectral = VARIANTS["SpectralNorm(LSGAN)"]().prepare(PatchDiscriminator(width=8, layers=1))
    with pytest.raises(ConfigError, match="power iterations"):
        recompute_blocks(spectral, ["model.*"])


def test_a_pattern_that_names_nothing_is_refused_with_what_there_is(tmp_path: Path, capsys: Any) -> None:
    config = sr_config(tmp_path, checkpointing={"generator": ["bodi.*"]})
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 2
    assert "model.checkpointing.generator: ResidualCNN has no module 'bodi.*'; it has" in capsys.readouterr().err


# ---------------------------------------------------------------------- torch.compile


@pytest.fixture(scope="module")
def compiler() -> Iterator[None]:
    """Graphs are kept from test to test, since networks of one kind share them; too many are an error, not eager."""
    torch.compiler.reset()
    with torch._dynamo.config.patch(  # pyright: ignore[reportPrivateImportUsage, reportAttributeAccessIssue]
        recompile_limit=1000, accumulated_recompile_limit=10_000, fail_on_recompile_limit_hit=True
    ):
        yield
    torch.compiler.reset()


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(("algorithm", "variant"), CELLS)
def test_compiled_networks_train_to_the_same_weights(algorithm: str, variant: str) -> None:
    def compiled(model: Algorithm) -> None:
        for slot in (*model.generators, *model.judged):
            compile_in_place(getattr(model, slot), {"backend": "aot_eager"})

    plain, fast = trained(algorithm, variant), trained(algorithm, variant, compiled)
    assert difference(plain, fast) < 1e-9
    assert list(plain.state_dict()) == list(fast.state_dict())


def test_a_compiled_run_trains_averages_and_continues_uncompiled(tmp_path: Path) -> None:
    torch.compiler.reset()
    switches = {slot: {"backend": "aot_eager"} for slot in ("generator", "discriminator")}
    config = sr_config(tmp_path, compile=switches)
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file, "--cfg-options", "train_cfg.max_iters=4") == 0
    assert not any("_orig_mod" in key for key in weights(tmp_path / "run" / "iter_4.pth"))
    assert command("train", file, "--resume", "--cfg-options", "model.compile=null") == 0


def test_generated_code_for_the_cpu_trains_an_instance_normalised_network() -> None:
    torch.compiler.reset()
    torch.manual_seed(0)
    plain, fast = ResidualCNN(width=4, blocks=1), ResidualCNN(width=4, blocks=1)
    fast.load_state_dict(plain.state_dict())
    compile_in_place(fast, {})
    images = torch.rand(1, 3, 16, 16)
    for network in (plain, fast):
        network(images).square().mean().backward()
    for (name, a), b in zip(plain.named_parameters(), fast.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-6), name  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("switch", "message"),
    [
        ({"compile": {"generator": {"target": "fast"}}}, "model.compile.generator.target: 'target' is no argument of"),
        ({"compile": {"generator_ab": {}}}, "model.compile.generator_ab: 'generator_ab' is no network of SRGAN"),
        ({"compile": {"generator": {"backend": 3}}}, "model.compile.generator.backend: wants text, got 3"),
        ({"compile": True}, "model.compile: wants a mapping"),
    ],
)
def test_a_wrong_switch_is_refused(switch: dict[str, Any], message: str, tmp_path: Path, capsys: Any) -> None:
    assert command("train", write_config(sr_config(tmp_path, **switch), tmp_path / "run.yaml")) == 2
    assert message in capsys.readouterr().err


# ---------------------------------------------------------------------- one graph of the discriminator for both steps


# Left out: spectral norm iterates in each forward pass, and augmentations draw anew in each; one graph has fewer.
OF_OTHERS = [cell for cell in CELLS if not cell[1].startswith(("SpectralNorm", "Vanilla(augmentations)"))]


@pytest.mark.parametrize(("algorithm", "variant"), OF_OTHERS)
def test_one_graph_for_both_steps_trains_to_the_same_weights(algorithm: str, variant: str) -> None:
    def shared(model: Algorithm) -> None:
        model.one_graph = set(model.judged)

    plain, once = trained(algorithm, variant), trained(algorithm, variant, shared)
    assert difference(plain, once) < 1e-10


def test_one_graph_judges_half_as_often(tmp_path: Path) -> None:
    calls: list[int] = []

    def counted(model: Algorithm) -> None:
        model.discriminator.register_forward_hook(lambda *_: calls.append(1))  # pyright: ignore[reportCallIssue]

    trained("SRGAN", "LSGAN", counted)
    before = len(calls)
    calls.clear()

    def both(model: Algorithm) -> None:
        counted(model)
        model.one_graph = set(model.judged)

    trained("SRGAN", "LSGAN", both)
    assert (before, len(calls)) == (4, 2)


def test_one_graph_and_a_pool_are_refused_together(tmp_path: Path, capsys: Any) -> None:
    config = sr_config(tmp_path, one_graph=True)
    config["model"]["discriminator"]["pool"] = 5
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 2
    assert "model.discriminator.pool: model.one_graph judges the current fakes once" in capsys.readouterr().err
    config["model"]["discriminator"]["pool"] = 0
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
