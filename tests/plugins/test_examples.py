"""The example plugins train, resume and infer, and what they show of labels, masks and clips holds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from examples import EXAMPLES, RECIPES, site_of_examples
from runs import command, pictures, refused, weights, write_config
from toolbox.io.images import read_image, write_image
from toolbox.plugins.manager import use
from toolbox.testing import assemble, batch_for


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The examples stand beside the toolbox as pip would leave them."""
    with pytest.MonkeyPatch.context() as patch:
        for path in site_of_examples(tmp_path_factory.mktemp("site")):
            patch.syspath_prepend(str(path))
        use(None)
        yield
    use(None)


def recipe(name: str, folder: Path, iterations: int = 2) -> dict[str, Any]:
    """An example's own recipe on tiny pictures, for a few iterations."""
    file = EXAMPLES / name / "src" / name / "configs" / Path(RECIPES[name]).name
    config: dict[str, Any] = yaml.safe_load(file.read_text())
    for seed, domain in enumerate("ab"):
        pictures(folder / "photos" / domain, 3, 64, seed)
    for split in ("train_dataloader", "val_dataloader"):
        dataset = config[split]["dataset"]
        dataset["root"] = str(folder / "photos")
        changes: dict[str, Any] = {"size": 32, "hole": 16, "frames": 3}
        dataset |= {key: value for key, value in changes.items() if key in dataset}
        if "transforms" in dataset:
            dataset["transforms"][0]["size"] = 32
    config["train_dataloader"]["batch_size"] = 2
    config["train_cfg"] = {"max_iters": iterations, "val_interval": 2}
    config["default_hooks"] = {**config["default_hooks"], "checkpoint": {"interval": 2}, "logger": {"interval": 2}}
    if "variant" in config["model"] and config["model"]["variant"]["type"] == "WGANGP":
        config["model"]["variant"]["d_steps"] = 1  # or the generator would not move in two iterations
    return config | {"work_dir": str(folder / "run")}


class Trained:
    """An example that was trained for two iterations."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder, self.config = folder, write_config(recipe(name, folder), folder / "config.yaml")
        assert command("train", self.config) == 0
        self.checkpoint = folder / "run" / "iter_2.pth"
        rng = np.random.default_rng(0)
        for number in range(5):
            coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
            write_image(folder / "frames" / f"{number}.png", coarse.repeat(8, 0).repeat(8, 1))

    def infer(self, target: str, *more: object) -> list[np.ndarray]:
        """Apply it to five pictures of 64 x 48; returns the results in order."""
        model = ["--config", self.config, "--checkpoint", self.checkpoint]
        assert command("infer", self.folder / "frames", "-o", self.folder / target, *model, *more) == 0
        return [read_image(self.folder / target / f"{number}.png") for number in range(5)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trained]:
    return {name: Trained(name, tmp_path_factory.mktemp(name)) for name in RECIPES}


@pytest.mark.parametrize("name", RECIPES)
def test_every_network_of_an_example_learns_and_a_sheet_is_drawn(name: str, trained: dict[str, Trained]) -> None:
    state = weights(trained[name].checkpoint)
    assert all(torch.isfinite(value).all() for value in state.values() if value.is_floating_point())
    moved = [key for key in state if key.startswith("generator.") and key.endswith("weight")]
    assert moved and any(
        not torch.equal(state[key], state[key.replace("generator.", "generator_ema.")]) for key in moved
    )
    assert (trained[name].folder / "run" / "samples" / "iter_2.png").is_file()


@pytest.mark.parametrize("name", RECIPES)
def test_an_example_imports_of_the_toolbox_only_its_names(name: str) -> None:
    known = {
        "__future__",
        "collections",
        "math",
        "pathlib",
        "typing",
        "numpy",
        "torch",
        "toolbox",
        "pytest",
        "PIL",
        name,
    }
    for file in (EXAMPLES / name).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                module = node.module or ""
                assert module.split(".")[0] in known, f"{file.name} imports {module}"
                inside = (
                    ("toolbox", "toolbox.testing", "toolbox.testing.objective")
                    if "tests" in file.parts
                    else ("toolbox",)
                )
                assert not module.startswith("toolbox") or module in inside, f"{file.name} imports {module}"


def test_a_run_that_resumes_ends_as_one_that_was_never_stopped(trained: dict[str, Trained], tmp_path: Path) -> None:
    whole = recipe("star_gan", tmp_path, 4)
    assert command("train", write_config(whole, tmp_path / "whole.yaml")) == 0
    parts = recipe("star_gan", tmp_path, 4) | {"work_dir": str(tmp_path / "parts")}
    file = write_config(parts, tmp_path / "parts.yaml")
    assert command("train", file, "--stop-at", 2) == 0 and command("train", file, "--resume") == 0
    one, other = weights(tmp_path / "run" / "iter_4.pth"), weights(tmp_path / "parts" / "iter_4.pth")
    assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_a_domain_is_chosen_by_name_and_by_number(
    trained: dict[str, Trained], capsys: pytest.CaptureFixture[str]
) -> None:
    star_gan = trained["star_gan"]
    by_name, by_number = star_gan.infer("name", "--set", "domain=b"), star_gan.infer("number", "--set", "domain=1")
    assert all(np.array_equal(one, other) for one, other in zip(by_name, by_number, strict=True))
    model = ["--config", star_gan.config, "--checkpoint", star_gan.checkpoint, "-o", star_gan.folder / "none"]
    assert "domain has no label 'c'; known: a, b" in refused(
        capsys, "infer", star_gan.folder / "frames", *model, "--set", "domain=c"
    )


def test_a_mask_says_what_is_filled_and_its_lack_is_one_line(
    trained: dict[str, Trained], capsys: pytest.CaptureFixture[str]
) -> None:
    example = trained["inpainting"]
    mask = np.zeros((48, 64, 3), np.uint8)
    mask[8:20, 30:44] = 255
    for number in range(5):
        write_image(example.folder / "masks" / f"{number}.png", mask)
    filled = example.infer("filled", "--set", f"mask={example.folder / 'masks'}")
    for number, picture in enumerate(filled):
        before = read_image(example.folder / "frames" / f"{number}.png")
        changed = (picture != before).any(2)
        assert changed.any() and not changed[mask[..., 0] == 0].any()
    model = ["--config", example.config, "--checkpoint", example.checkpoint, "-o", example.folder / "none"]
    assert "--set mask=FILE: is missing" in refused(capsys, "infer", example.folder / "frames", *model)


def test_frames_of_a_folder_are_one_clip_whole_or_in_tiles(trained: dict[str, Trained]) -> None:
    example = trained["clips"]
    clip, alone = example.infer("clip"), example.infer("alone", "--batch", 1)
    assert clip[0].shape == (96, 128, 3) and np.array_equal(clip[0], alone[0]), "the first frame has no memory"
    tiled = example.infer("tiled", "--tile", 32)
    assert all(np.array_equal(one, other) for one, other in zip(clip, tiled, strict=True))
    pairs = example.infer("pairs", "--batch", 2)
    assert np.array_equal(pairs[1], clip[1]) and np.array_equal(pairs[2], alone[2]), "a clip of two begins at frame 2"


def star_gan(**arguments: Any) -> Any:
    from star_gan.algorithm import StarGAN

    from toolbox_plugins.gan_variants.wgan_gp import WGANGP

    return assemble(StarGAN, lambda: WGANGP(d_steps=1), **StarGAN.example_arguments(), **arguments)


def test_the_classifier_learns_from_real_pictures_alone() -> None:
    """What moves it is the cross-entropy of real pictures: its gradient is that, and the fakes' labels do not count."""
    algorithm = star_gan()
    head, found = algorithm.discriminator.domain.weight, []
    for _ in range(2):
        values = algorithm.data_preprocessor(batch_for(algorithm), True)
        algorithm.prepare(values)
        values["target"] = values["target"] if not found else 1 - values["target"]
        with torch.no_grad():
            algorithm.translate(values)
        (slope,) = torch.autograd.grad(algorithm.discriminator_loss("discriminator", values, {}), head)
        found.append(slope)
    scores = algorithm.discriminator(values["picture"])["domain"]
    (wanted,) = torch.autograd.grad(torch.nn.functional.cross_entropy(scores, values["label"]), head)
    assert torch.equal(found[0], found[1]) and torch.allclose(found[0], wanted, atol=1e-7) and wanted.abs().sum() > 0


def test_the_generators_step_leaves_the_classifier_alone() -> None:
    algorithm = star_gan()
    values = algorithm.data_preprocessor(batch_for(algorithm), True)
    algorithm.prepare(values)
    algorithm.translate(values)
    algorithm.generators_loss(values, {}).backward()
    assert all(p.grad is None for p in algorithm.discriminator.parameters())
    assert algorithm.generator.change.weight.grad.abs().sum() > 0


def test_the_penalty_does_not_see_the_classifier() -> None:
    algorithm = star_gan(losses=False)
    values = algorithm.data_preprocessor(batch_for(algorithm), True)
    algorithm.prepare(values)
    algorithm.translate(values)
    losses = []
    for factor in (1.0, 100.0):
        with torch.no_grad():
            algorithm.discriminator.domain.weight.mul_(factor)
        torch.manual_seed(0)
        logs: dict[str, torch.Tensor] = {}
        loss = algorithm.discriminator_loss("discriminator", values, logs)
        losses.append(logs["d/penalty"])
        assert torch.autograd.grad(loss, algorithm.discriminator.domain.weight, allow_unused=True) == (None,)
    assert losses[0] > 0 and torch.equal(losses[0], losses[1])


def test_one_graph_is_refused_where_a_discriminator_has_other_heads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = recipe("star_gan", tmp_path)
    config["model"]["one_graph"] = True
    said = refused(capsys, "train", write_config(config, tmp_path / "config.yaml"))
    assert "model.one_graph: judges once for both steps, and DomainDiscriminator has other heads (domain)" in said


def test_a_label_is_no_column_of_a_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = recipe("star_gan", tmp_path)
    config["default_hooks"]["samples"] = {"columns": ["label"]}
    said = refused(capsys, "train", write_config(config, tmp_path / "config.yaml"))
    assert "default_hooks.samples.columns: no image of the evaluation is called 'label'" in said
