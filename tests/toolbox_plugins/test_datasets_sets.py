"""Every image once, pairs side by side in a file, one image for a domain, and what evaluation makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from toolbox.assembly.build import build_component
from toolbox.contracts.nested import nested_components
from toolbox.engine.data import EverySample, collate
from toolbox.io.errors import UserError
from toolbox.io.images import write_image
from toolbox_plugins.datasets.every import EveryImage
from toolbox_plugins.datasets.folders import UnpairedFolders
from toolbox_plugins.datasets.side_by_side import SideBySide
from toolbox_plugins.transforms.geometry import RandomFlip
from toolbox_plugins.transforms.naming import Copy
from toolbox_plugins.transforms.oracle import PaletteOracle


def put(folder: Path, *names: str, size: tuple[int, int] = (8, 8)) -> str:
    """Write images, each of one level: 0 for the first, 1 for the second, and so on."""
    for level, name in enumerate(names):
        write_image(folder / name, np.full((*size, 3), level, np.uint8))
    return str(folder)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_every_image_of_every_folder_comes_once_under_its_folders_name(tmp_path):
    roots = {"real_a": put(tmp_path / "a", "x.png", "y.png", "z.png"), "real_b": put(tmp_path / "b", "d/x.png")}
    dataset = EveryImage(roots=roots)
    samples = [dataset.sample(index, rng()) for index in range(len(dataset))]
    found = [(next(iter(sample)), sample["name"], int(next(iter(sample.values())).max())) for sample in samples]
    assert found == [("real_a", "x.png", 0), ("real_a", "y.png", 1), ("real_a", "z.png", 2), ("real_b", "d/x.png", 0)]
    assert dataset.examples() == [0, 3]
    assert [set(EverySample(dataset)[index]) for index in dataset.examples()] == [
        {"real_a", "name"},
        {"real_b", "name"},
    ]


def test_each_name_has_transforms_of_its_own_after_the_common_ones(tmp_path):
    roots = {"real_a": put(tmp_path / "a", "x.png"), "real_b": put(tmp_path / "b", "y.png")}
    own = {"real_a": [Copy(source="real_a", target="oracle"), PaletteOracle(source="oracle")]}
    dataset = EveryImage(roots=roots, transforms=[RandomFlip(horizontal=1)], transforms_of=own)
    first, second = (dataset.sample(index, rng()) for index in (0, 1))
    assert set(first) == {"real_a", "oracle", "name"} and set(second) == {"real_b", "name"}
    assert not np.array_equal(first["oracle"], first["real_a"])


def test_transforms_by_name_are_found_and_built_from_a_config(tmp_path):
    config = {
        "type": "EveryImage",
        "roots": {"real_a": put(tmp_path / "a", "x.png")},
        "transforms_of": {"real_a": [{"type": "Copy", "source": "real_a", "target": "c"}, {"type": "RandomFlip"}]},
    }
    places = [place for _, _, place in nested_components("datasets", config, "dataset")]
    assert places == ["dataset.transforms_of.real_a.0", "dataset.transforms_of.real_a.1"]
    assert set(build_component("datasets", config).sample(0, rng())) == {"real_a", "c", "name"}


def test_names_that_every_image_does_not_have_are_refused(tmp_path):
    root = put(tmp_path / "a", "x.png")
    with pytest.raises(UserError, match="transforms_of names 'real_c', but roots has only real_a"):
        EveryImage(roots={"real_a": root}, transforms_of={"real_c": []})
    with pytest.raises(UserError, match="roots must name at least one folder"):
        EveryImage(roots={})


def test_samples_of_two_domains_make_no_batch(tmp_path):
    roots = {"real_a": put(tmp_path / "a", "x.png"), "real_b": put(tmp_path / "b", "y.png")}
    samples = EverySample(EveryImage(roots=roots))
    with pytest.raises(UserError, match="a batch holds samples of real_a and of real_b; set batch_size: 1"):
        collate([samples[0], samples[1]])


def test_an_image_may_stand_for_a_folder(tmp_path):
    photos, painting = put(tmp_path / "a", "x.png", "y.png"), put(tmp_path / "b", "a.png", "style.png")
    for cache in (False, True):
        dataset = UnpairedFolders(root_a=photos, root_b=f"{painting}/style.png", cache=cache)
        samples = [dataset.sample(index, rng()) for index in range(len(dataset))]
        assert [int(sample["real_b"].max()) for sample in samples] == [1, 1]
    only = EveryImage(roots={"real_b": f"{painting}/style.png"})
    assert len(only) == 1 and only.sample(0, rng())["name"] == "style.png"
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(UserError, match=r"notes\.txt: is neither a folder nor an image"):
        EveryImage(roots={"real_a": str(tmp_path / "notes.txt")})


@pytest.mark.parametrize("cache", [False, True])
def test_a_file_of_two_images_is_cut_and_named_from_the_left(tmp_path, cache):
    pair = np.concatenate([np.full((4, 6, 3), 10, np.uint8), np.full((4, 6, 3), 200, np.uint8)], axis=1)
    write_image(tmp_path / "1.png", pair)
    sample = SideBySide(root=str(tmp_path), cache=cache).sample(0, rng())
    assert sample["real_a"].shape == sample["real_b"].shape == (4, 6, 3) and sample["name"] == "1.png"
    assert (sample["real_a"] == 10).all() and (sample["real_b"] == 200).all()
    turned = SideBySide(root=str(tmp_path), keys=["real_b", "real_a"], cache=cache).sample(0, rng())
    assert (turned["real_a"] == 200).all()


def test_the_images_of_a_row_are_transformed_together(tmp_path):
    row = np.arange(12, dtype=np.uint8).reshape(1, 6, 2).repeat(3, 0)[..., [0, 0, 0]]
    write_image(tmp_path / "1.png", np.concatenate([row, row], axis=1))
    sample = SideBySide(root=str(tmp_path), transforms=[RandomFlip(horizontal=1)]).sample(0, rng())
    assert np.array_equal(sample["real_a"], row[:, ::-1]) and np.array_equal(sample["real_b"], row[:, ::-1])


def test_a_width_that_has_no_parts_is_refused_by_name(tmp_path):
    put(tmp_path, "odd.png", size=(4, 7))
    with pytest.raises(UserError, match=r"odd\.png: 4x7 is not 2 images of one size side by side \(real_a, real_b\)"):
        SideBySide(root=str(tmp_path)).sample(0, rng())
    with pytest.raises(UserError, match="keys must be two names or more, each once, got x, x"):
        SideBySide(root=str(tmp_path), keys=["x", "x"])
