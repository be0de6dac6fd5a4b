"""Datasets of folders: which files make a sample, and that a sample depends on nothing but index and generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader

from toolbox.contracts.dataset import Images, Transform
from toolbox.engine.data import EverySample
from toolbox.io.errors import UserError
from toolbox.io.images import read_image, write_image
from toolbox.testing import check_transform
from toolbox_plugins.datasets.folder import Folder
from toolbox_plugins.datasets.folders import ImageFolder, PairedFolders, UnpairedFolders
from toolbox_plugins.transforms.geometry import CenterCrop, ModCrop, RandomCrop, RandomFlip, Resize
from toolbox_plugins.transforms.naming import Copy
from toolbox_plugins.transforms.oracle import InkOracle, PaletteOracle


def put(folder: Path, *names: str, size: tuple[int, int] = (8, 8)) -> str:
    """Write images, each of one level: 0 for the first, 1 for the second, and so on."""
    for level, name in enumerate(names):
        write_image(folder / name, np.full((*size, 3), level, np.uint8))
    return str(folder)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


class Add(Transform):
    def __init__(self, amount: int) -> None:
        self.amount = amount

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        return {name: image + np.uint8(self.amount) for name, image in images.items()}


class Times(Transform):
    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        return {name: image * np.uint8(2) for name, image in images.items()}


def test_a_folder_gives_every_nested_image_of_any_size_in_order(tmp_path):
    put(tmp_path / "photos", "b.png", "deep/er/a.jpg")
    put(tmp_path / "photos", "c.png", size=(5, 9))
    dataset = ImageFolder(root=str(tmp_path / "photos"), key="hr")
    samples = [dataset.sample(index, rng()) for index in range(len(dataset))]
    assert [sample["name"] for sample in samples] == ["b.png", "c.png", "deep/er/a.jpg"]
    assert [sample["hr"].shape for sample in samples] == [(8, 8, 3), (5, 9, 3), (8, 8, 3)]


def test_transforms_apply_in_order(tmp_path):
    root = put(tmp_path, "a.png")
    assert ImageFolder(root=root, key="x", transforms=[Add(3), Times()]).sample(0, rng())["x"].flat[0] == 6
    assert ImageFolder(root=root, key="x", transforms=[Times(), Add(3)]).sample(0, rng())["x"].flat[0] == 3


def test_the_same_generator_gives_the_same_sample(tmp_path):
    write_image(tmp_path / "x.png", np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    dataset = ImageFolder(root=str(tmp_path), key="x", transforms=[RandomCrop(size=8)])
    assert np.array_equal(dataset.sample(0, rng(5))["x"], dataset.sample(0, rng(5))["x"])
    assert not np.array_equal(dataset.sample(0, rng(5))["x"], dataset.sample(0, rng(6))["x"])


def test_a_corrupt_file_is_named_when_it_is_read(tmp_path):
    put(tmp_path, "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:-20])
    with pytest.raises(UserError, match=r"b\.png: damaged image"):
        ImageFolder(root=str(tmp_path), key="x").sample(1, rng())


TRANSFORMS = [
    [],
    [RandomCrop(size=8)],
    [RandomCrop(size=24)],  # the whole image: nothing is cut, the sample must be a copy all the same
    [CenterCrop(size=8), RandomFlip(horizontal=1)],
    [RandomFlip(horizontal=0)],
    [ModCrop(multiple=5)],
    [Resize(short_side=24)],
    [Resize(size=[12, 10])],
    [Copy(source="x", target="y"), Add(3)],
    [PaletteOracle(source="x")],
    [InkOracle(source="x", target="y")],
]


@pytest.mark.parametrize("transforms", TRANSFORMS, ids=lambda chain: "+".join(type(each).__name__ for each in chain))
def test_samples_with_and_without_a_cache_are_the_same_and_the_callers_own(tmp_path, transforms):
    for seed in range(3):
        noise = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8)
        write_image(tmp_path / f"{seed}.png", noise)
    plain, cached = (ImageFolder(root=str(tmp_path), key="x", transforms=transforms, cache=c) for c in (False, True))
    for _ in range(2):
        for index in range(3):
            ours, theirs = cached.sample(index, rng(index)), plain.sample(index, rng(index))
            assert ours.keys() == theirs.keys() and ours.pop("name") == theirs.pop("name")
            for name, image in ours.items():
                assert np.array_equal(image, theirs[name])
                image[:] = 0  # must reach neither the cache nor the next sample


def test_a_crop_of_a_cached_image_copies_the_crop_alone(tmp_path):
    folder = Folder(put(tmp_path, "a.png", size=(64, 64)), cache=True)
    image = folder.read(0)
    assert image.base is not None and not image.flags.writeable
    crop = RandomCrop(size=16)({"x": image}, rng())["x"]
    assert crop.flags.owndata and crop.nbytes == 16 * 16 * 3


def test_the_contract_of_transforms_refuses_one_that_writes_into_its_input():
    class Darken(Transform):
        def __call__(self, images: Images, rng: np.random.Generator) -> Images:
            for image in images.values():
                image //= 2
            return images

    with pytest.raises(AssertionError, match="writes into the images it is given"):
        check_transform(Darken())
    check_transform(Add(3))


def test_a_cached_image_survives_the_file(tmp_path):
    dataset = ImageFolder(root=put(tmp_path, "a.png", "b.png"), key="x", cache=True)
    (tmp_path / "b.png").unlink()
    assert dataset.sample(1, rng())["x"].max() == 1


def test_a_cache_names_a_corrupt_file_before_anything_is_read(tmp_path):
    put(tmp_path, "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:-20])
    with pytest.raises(UserError, match=r"b\.png: damaged image"):
        ImageFolder(root=str(tmp_path), key="x", cache=True)


def test_pairs_and_domains_are_cached_folder_by_folder(tmp_path):
    low, high = put(tmp_path / "lr", "x.png", "y.png"), put(tmp_path / "hr", "x.png", "y.png", size=(16, 16))
    pairs = PairedFolders(roots={"lr": low, "hr": high}, transforms=[RandomCrop(size=8)], cache=True)
    domains = UnpairedFolders(root_a=low, root_b=high, cache=True)
    for file in ("lr/y.png", "hr/y.png"):
        (tmp_path / file).unlink()
    sample = pairs.sample(1, rng())
    assert sample["lr"].shape == (4, 4, 3) and sample["hr"].min() == 1
    assert domains.sample(1, rng())["real_a"].max() == 1


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_read_from_the_cache(tmp_path, start):
    dataset = ImageFolder(root=put(tmp_path, "a.png", "b.png", "c.png"), key="x", cache=True)
    for path in tmp_path.iterdir():
        path.unlink()
    loader = DataLoader(EverySample(dataset), num_workers=1, multiprocessing_context=start)
    assert [int(batch["x"].max()) for batch in loader] == [0, 1, 2]


def test_pairs_are_found_by_path_whatever_the_file_type_and_may_differ_by_a_factor(tmp_path):
    roots = {
        "lr": put(tmp_path / "lr", "s/x.png", "s/y.png", size=(4, 6)),
        "hr": put(tmp_path / "hr", "s/x.webp", "s/y.bmp", size=(16, 24)),
    }
    dataset = PairedFolders(roots=roots, transforms=[RandomCrop(size=8)])
    sample = dataset.sample(1, rng())
    assert len(dataset) == 2 and sample["name"] == "s/y.png"
    assert sample["lr"].shape == (2, 2, 3) and sample["hr"].shape == (8, 8, 3)
    assert sample["lr"].max() == sample["hr"].max() == 1


def test_pairs_of_div2k_are_found_by_their_suffix(tmp_path):
    roots = {"lr": put(tmp_path / "lr", "0801x4.png", size=(2, 2)), "hr": put(tmp_path / "hr", "0801.png")}
    assert PairedFolders(roots=roots, suffixes={"lr": "x4"}).sample(0, rng())["lr"].shape == (2, 2, 3)
    with pytest.raises(UserError, match=r"0801x4\.png has no partner '0801x4' in .*hr|0801\.png has no partner '0801'"):
        PairedFolders(roots=roots)
    with pytest.raises(UserError, match=r"0801\.png does not end in the suffix 'x4'"):
        PairedFolders(roots=roots, suffixes={"lr": "x4", "hr": "x4"})
    with pytest.raises(UserError, match="suffixes names 'sr', but roots has only lr, hr"):
        PairedFolders(roots=roots, suffixes={"sr": "x4"})


@pytest.mark.parametrize("without", ["lr", "hr"])
def test_a_missing_partner_is_named_on_either_side(tmp_path, without):
    roots = {"lr": put(tmp_path / "lr", "x.png", "y.png"), "hr": put(tmp_path / "hr", "x.png", "y.png")}
    (tmp_path / without / "y.png").unlink()
    with pytest.raises(UserError, match=rf"y\.png has no partner 'y' in .*{without} \(1 such\)"):
        PairedFolders(roots=roots)


def test_pairs_that_cannot_be_are_refused(tmp_path):
    small, large = put(tmp_path / "a", "x.png", size=(8, 8)), put(tmp_path / "b", "x.png", size=(16, 20))
    with pytest.raises(UserError, match=r"b/x\.png: 16x20 is no whole multiple of its partner's 8x8"):
        PairedFolders(roots={"a": small, "b": large}).sample(0, rng())
    put(tmp_path / "a", "x.jpg")
    with pytest.raises(UserError, match="differ by file type only"):
        PairedFolders(roots={"a": small, "b": large})
    with pytest.raises(UserError, match="two folders or more, got a"):
        PairedFolders(roots={"a": small})


@pytest.mark.parametrize(("count_a", "count_b"), [(7, 3), (3, 7), (4, 4)])
def test_an_unpaired_epoch_shows_each_image_of_the_larger_folder_once(tmp_path, count_a, count_b):
    root_a = put(tmp_path / "a", *[f"a{i}.png" for i in range(count_a)])
    root_b = put(tmp_path / "b", *[f"b{i}.png" for i in range(count_b)])
    dataset = UnpairedFolders(root_a=root_a, root_b=root_b)
    samples = [dataset.sample(index, rng(index)) for index in range(len(dataset))]
    seen_a = [int(sample["real_a"].flat[0]) for sample in samples]
    seen_b = [int(sample["real_b"].flat[0]) for sample in samples]
    larger, other = (seen_a, seen_b) if count_a >= count_b else (seen_b, seen_a)
    assert larger == list(range(max(count_a, count_b)))
    assert 1 < len(set(other)) <= min(count_a, count_b)
    assert len({sample["name"] for sample in samples}) == len(dataset)


def test_unpaired_domains_have_common_and_their_own_transforms(tmp_path):
    dataset = UnpairedFolders(
        root_a=put(tmp_path / "a", "x.png"),
        root_b=put(tmp_path / "b", "y.png"),
        key_a="photo",
        key_b="painting",
        transforms=[Add(1)],
        transforms_b=[Times(), Add(5)],
    )
    sample = dataset.sample(0, rng())
    assert sample["photo"].max() == 1 and sample["painting"].max() == 7
    with pytest.raises(UserError, match="key_a and key_b are both 'x'"):
        UnpairedFolders(root_a=str(tmp_path / "a"), root_b=str(tmp_path / "b"), key_a="x", key_b="x")


def test_an_empty_domain_is_named(tmp_path):
    (tmp_path / "b").mkdir()
    with pytest.raises(UserError, match="b: holds no image"):
        UnpairedFolders(root_a=put(tmp_path / "a", "x.png"), root_b=str(tmp_path / "b"))


@pytest.mark.parametrize("cache", [False, True])
def test_the_images_of_several_folders_follow_each_other(tmp_path: Path, cache: bool) -> None:
    roots = [put(tmp_path / "one", "a.png", "b.png"), put(tmp_path / "two", "a.png", size=(5, 7))]
    dataset = ImageFolder(root=roots, key="x", cache=cache)
    assert [dataset.sample(index, rng())["name"] for index in range(3)] == ["1/a.png", "1/b.png", "2/a.png"]
    assert dataset.sample(2, rng())["x"].shape == read_image(Path(roots[1]) / "a.png").shape
    assert [name for name, _ in dataset.named_files()] == ["1/a.png", "1/b.png", "2/a.png"]
    assert dataset.sizes_of(2) == {"x": read_image(Path(roots[1]) / "a.png").shape[:2]}
    with pytest.raises(UserError, match="must name one at least"):
        ImageFolder(root=[], key="x")
