"""Verdicts over made-up histories, measures with hand-worked values, settings that are refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from PIL import Image
from torch.optim import Adam

from live_memory import peak_of
from toolbox import Output
from toolbox.assembly.build import build_algorithm
from toolbox.engine.optimizers import parameter_groups
from toolbox.io.errors import UserError
from toolbox.plugins.registry import registry
from toolbox.testing.objective import LeastSquares
from toolbox.testing.training import assemble, batch_for, optimizers_for
from toolbox.training.precision import networks_in
from toolbox_plugins.monitor.curves import MOST, Curves
from toolbox_plugins.monitor.dashboard import draw
from toolbox_plugins.monitor.hook import HealthMonitor
from toolbox_plugins.monitor.measures import (
    accuracy,
    aside,
    coarse,
    diversity,
    drift,
    health,
    largest_singular_value,
    norm,
    spread,
)
from toolbox_plugins.monitor.verdicts import NAMES, RULES, Thresholds, judge
from toolbox_plugins.toy.experiment import LATENT, model
from toolbox_plugins.toy.mixture import SPAN, SPREAD, centres

WELL = {
    "accuracy_real/d": 0.6,
    "accuracy_fake/d": 0.7,
    "gap/d": 0.2,
    "loss/d": 0.5,
    "gradient/g/adversarial": 1.0,
    "diversity/d": 0.9,
    "brightness/d": 0.01,
    "color/d": 0.02,
}


def history(*last: dict[str, float], usual: int = 4) -> list[dict[str, float]]:
    looks = [dict(WELL) for _ in range(usual)] + [{**WELL, **each} for each in last]
    return [{**look, "iteration": 100.0 * (i + 1)} for i, look in enumerate(looks)]


@pytest.mark.parametrize(
    ("ill", "looks", "name", "words"),
    [
        (
            {"accuracy_real/d": 1.0, "accuracy_fake/d": 0.995},
            3,
            "d_wins",
            "d wins: accuracy 0.99 for 200 iterations; try",
        ),
        ({"gradient/g/adversarial": 50.0}, 1, "exploding", "50 times its median of 1"),
        ({"loss/d": -20.0}, 1, "exploding", "loss/d is -20"),
        ({"diversity/d": 0.2}, 3, "collapse", "mode collapse: fakes differ 0.20 times"),
        ({"gradient/g/adversarial": 1e-4}, 3, "vanishing", "the generator learns nothing"),
        (
            {"gap/d": 0.0, "accuracy_real/d": 1.0, "accuracy_fake/d": 0.0, "gradient/g/adversarial": 0.0},
            3,
            "d_blind",
            "d is blind: accuracy 0.50, gap 0, and no gradient",
        ),
        ({"brightness/d": -0.3}, 3, "color_drift", "brightness of the fakes is -0.30"),
        ({"gap/d": float("nan")}, 1, "not_finite", "gap/d is not finite"),
    ],
)
def test_an_illness_is_named_once_it_has_lasted(ill, looks, name, words) -> None:
    found = judge(history(*[ill] * looks), Thresholds())
    assert [each.name for each in found] == [name] and words in found[0].sentence
    if looks > 1:
        assert not judge(history(*[ill] * (looks - 1)), Thresholds())


def test_a_healthy_run_has_no_verdict_and_the_worst_comes_first() -> None:
    assert not judge(history(), Thresholds()) and not judge([], Thresholds())
    both = {"diversity/d": 0.1, "accuracy_real/d": 1.0, "accuracy_fake/d": 1.0}
    assert [each.name for each in judge(history(both, both, both), Thresholds())] == ["collapse", "d_wins"]
    assert len(RULES) == len(NAMES)


def test_the_second_look_of_all_speaks_of_an_explosion_of_a_hundred_times_only() -> None:
    assert not judge(history({"loss/d": 20.0}, usual=1), Thresholds())
    assert judge(history({"loss/d": 60.0}, usual=1), Thresholds())[0].name == "exploding"


def test_a_discriminator_at_chance_is_well_as_long_as_it_teaches() -> None:
    even = {"gap/d": 0.0, "accuracy_real/d": 0.5, "accuracy_fake/d": 0.5}
    assert not judge(history(even, even, even), Thresholds())
    dead = [{**WELL, **even, "gradient/g/adversarial": 0.0, "iteration": float(i)} for i in range(1, 4)]
    assert [each.name for each in judge(dead, Thresholds())] == ["d_blind"]  # from the start, too


def test_accuracy_goes_by_the_boundary_or_by_the_middle_of_the_means() -> None:
    real, fake = [torch.tensor([1.0, 2.0, -1.0, 3.0])], [torch.tensor([-1.0, -2.0, 1.0, -3.0])]
    assert [float(each) for each in accuracy(real, fake, 0.0)] == [0.75, 0.75]
    shifted = [real[0] + 10], [fake[0] + 10]
    assert [float(each) for each in accuracy(*shifted, None)] == [0.75, 0.75]
    assert [float(each) for each in accuracy(*shifted, 0.0)] == [1.0, 0.0]


def test_norms_singular_values_and_spread_are_what_they_say() -> None:
    assert float(norm([torch.full((2,), 3.0), torch.full((2,), 4.0)])) == pytest.approx(50**0.5)
    layer = torch.nn.Conv2d(3, 4, 3)
    exact = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), ord=2)
    assert float(largest_singular_value(layer)) == pytest.approx(float(exact), rel=0.1)
    points = torch.tensor([[0.0, 0.0], [1.0, 1.0]])[..., None, None]
    assert float(spread(coarse(points))) == pytest.approx(1.0)
    assert float(spread(coarse(points[:1].repeat(3, 1, 1, 1)))) == 0


def test_measuring_leaves_no_trace_and_works_for_every_algorithm() -> None:
    for name in registry("algorithms").names():
        algorithm = assemble(registry("algorithms").get(name), LeastSquares)
        algorithm.train()
        state = {key: value.clone() for key, value in algorithm.state_dict().items() if isinstance(value, torch.Tensor)}
        before = torch.get_rng_state()
        with aside(algorithm):
            found = health(algorithm, batch_for(algorithm))
        assert torch.equal(before, torch.get_rng_state()) and algorithm.training
        assert all(torch.equal(value, algorithm.state_dict()[key]) for key, value in state.items())
        assert all(p.grad is None for p in algorithm.parameters())
        assert all(torch.isfinite(value) for value in found.values()), name
        if algorithm.judged:
            assert any(key.startswith("accuracy_real/") for key in found)
            assert any(key.startswith("gradient/g/adversarial") for key in found)


def watched(checkpointing: bool, matching: int = 0) -> Any:
    """ESRGAN with several losses, and with or without checkpointing."""
    features = {"type": "RandomFeatures", "width": 8}
    perceptual = {"type": "PerceptualLoss", "features": features, "layers": {"relu5_3": 1.0}}
    config: dict[str, Any] = {
        "type": "ESRGAN",
        "generator": {"type": "RRDBNet", "width": 16, "growth": 8, "blocks": 2},
        "degradation": {"type": "BicubicDegradation", "scale": 4},
        "discriminator": {"type": "PatchDiscriminator", "width": 8, "layers": 2, "norm": "none"},
        "variant": {"type": "RaGAN"},
        "losses": {"pixel": {"type": "L1Loss"}, "perceptual": perceptual},
        "checkpointing": {"generator": ["body.*"]} if checkpointing else {},
    }
    if matching:
        config["losses"]["feature_matching"] = [{"type": "FeatureMatchingLoss"}] * matching
    return build_algorithm(config)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_look_needs_no_more_memory_than_a_step_does(checkpointing: bool) -> None:
    algorithm = watched(checkpointing)
    batch, optimizers = batch_for(algorithm, size=96), optimizers_for(algorithm)
    algorithm.train_step(batch, optimizers)
    with aside(algorithm):
        look = peak_of(lambda: health(algorithm, batch))
    assert look < 1.05 * peak_of(lambda: algorithm.train_step(batch, optimizers))


def test_gradients_of_terms_taken_apart_are_those_of_a_backward_pass_through_all() -> None:
    algorithm = watched(True, matching=2).eval()
    batch = batch_for(algorithm)
    with aside(algorithm):
        found = health(algorithm, batch)
    values = algorithm.data_preprocessor(batch, False)
    algorithm.translate(values)
    terms = dict(algorithm.generator_terms(values))
    assert len(terms) == 5
    parameters = list(algorithm.generator.parameters())
    for name, term in {**terms, "whole": sum(terms.values())}.items():
        wanted = norm(torch.autograd.grad(term, parameters, retain_graph=True))
        name = "gradient/generators" if name == "whole" else f"gradient/{name}"
        assert float(found[name]) == pytest.approx(float(wanted), rel=1e-4), name


def test_a_look_computes_in_the_precision_of_the_step() -> None:
    algorithm = watched(False)
    seen: list[torch.dtype] = []
    algorithm.generator.conv_last.register_forward_hook(lambda module, given, made: seen.append(made.dtype))
    with aside(algorithm):
        rough = health(algorithm, batch_for(algorithm), (), lambda: networks_in(torch.bfloat16))
        exact = health(algorithm, batch_for(algorithm))
    assert seen == [torch.bfloat16, torch.float32]
    assert rough.keys() == exact.keys() and all(value.dtype == torch.float32 for value in rough.values())
    assert float(rough["gradient/generators"]) == pytest.approx(float(exact["gradient/generators"]), rel=0.1)


def test_the_frames_of_clips_count_as_pictures() -> None:
    algorithm: Any = SimpleNamespace(
        judged={"discriminator": ("real", "fake")}, outputs={"fake": Output("source", "generator", keeps_colors=False)}
    )
    clips = {name: torch.rand(2, 3, 3, 16, 16) for name in ("real", "fake", "source")}
    frames = {name: value.flatten(0, 1) for name, value in clips.items()}
    for measure in (drift, lambda algorithm, values: diversity(algorithm, [values])):
        of_clips, of_frames = measure(algorithm, clips), measure(algorithm, frames)
        assert of_clips and all(torch.equal(value, of_frames[name]) for name, value in of_clips.items())


def test_small_batches_are_put_together_for_the_diversity() -> None:
    algorithm = assemble(registry("algorithms").get("SRGAN"), LeastSquares)
    batches = [{name: value[:1] for name, value in batch_for(algorithm).items()} for _ in range(3)]
    for number, batch in enumerate(batches):
        batch["hr"] = torch.full_like(batch["hr"], number / 4)
    with aside(algorithm):
        assert "diversity/d" not in health(algorithm, batches[0])
        assert "diversity/d" in health(algorithm, batches[0], batches[1:])


def test_the_collapse_of_a_vanilla_gan_on_a_ring_is_named_and_the_cure_ends_without_it() -> None:
    torch.set_num_threads(1)
    penalties = [{"type": name, "weight": 0.1, "image_span": 10.0} for name in ("R1", "R2")]
    ill, cured = (verdicts_on_the_ring(v) for v in ({"type": "Vanilla"}, {"type": "RpGAN", "regularizers": penalties}))
    assert ill == ["collapse"] and cured == []


def verdicts_on_the_ring(variant: dict[str, Any]) -> list[str]:
    """The last verdicts of looks every 50 updates: enough for six seeds of six to end alike, as processors differ."""
    torch.manual_seed(2)
    algorithm = build_algorithm(model(variant))
    groups = parameter_groups(algorithm)
    optimizers = OptimWrapperDict(
        **{name: OptimWrapper(Adam(each, lr=1e-3, betas=(0.0, 0.99))) for name, each in groups.items()}
    )
    middles, seen = torch.tensor(centres("ring"), dtype=torch.float32), []
    for step in range(1, 601):
        real = middles[torch.randint(8, (64,))] + SPREAD * torch.randn(64, 2)
        batch = {"real": 0.5 + real[..., None, None] / SPAN, "noise": torch.randn(64, LATENT, 1, 1)}
        algorithm.train_step(batch, optimizers)
        if step % 50 == 0:
            with aside(algorithm):
                look = {name: float(value) for name, value in health(algorithm, batch).items()}
            seen.append({**look, "iteration": float(step)})
    return [verdict.name for verdict in judge(seen, Thresholds())]


def curves_of(looks: list[dict[str, float]]) -> Curves:
    curves = Curves()
    for look in looks:
        curves.add(look)
    return curves


def test_the_curves_of_a_long_run_have_no_more_points_than_those_of_a_short_one_and_lose_no_spike() -> None:
    looks = [{"loss/d": float(i % 7), "iteration": float(i)} for i in range(1, 10_001)]
    looks[4_321]["loss/d"], looks[8_765]["loss/d"] = 1e6, float("nan")
    looks += [{"loss/late": 5.0, "iteration": 10_001.0}]
    curves = curves_of(looks)
    assert MOST // 2 <= len(curves.spans) <= MOST and sum(span.looks for span in curves.spans) == 10_001
    points = curves.points("loss/d")
    assert max(value for _, value in points) == 1e6 and min(value for _, value in points) == 0
    assert next(at for at, value in points if value == 1e6) <= 4_322
    assert points == sorted(points, key=lambda each: each[0])
    assert curves.points("loss/late") and curves.points("loss/late")[0][1] == 5
    for at in range(10_000):
        curves.mark(at)
    assert len(curves.marks) <= MOST and curves.marks[-1] == 9_999


def test_the_curves_of_a_short_run_are_its_looks() -> None:
    looks = history({"loss/d": 3.0}, {"loss/d": float("nan")})
    assert curves_of(looks).points("loss/d") == [(100.0 * (i + 1), v) for i, v in enumerate([0.5] * 4 + [3.0])]


def test_the_dashboard_has_a_plot_for_each_kind_and_survives_nan(tmp_path: Path) -> None:
    looks = history({"loss/d": float("nan")}, {"loss/d": 3.0})
    curves = curves_of(looks)
    curves.mark(500)
    draw(curves, tmp_path / "health.png", "loss/d is not finite")
    with Image.open(tmp_path / "health.png") as picture:
        assert picture.size[0] == 990 and len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 20
    assert [path.name for path in tmp_path.iterdir()] == ["health.png"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"actions": {"d_win": "roll_back"}}, "did you mean 'd_wins'"),
        ({"actions": {"d_wins": "rollback"}}, "no action 'rollback'; known: pause_discriminator"),
        ({"interval": 0}, "at least 1"),
        ({"factor": 1.5}, "between 0 and 1"),
    ],
)
def test_wrong_settings_are_refused(settings, message) -> None:
    with pytest.raises(UserError, match=message):
        HealthMonitor(**settings)
