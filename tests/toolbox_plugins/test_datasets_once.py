"""What an ImageFolder makes of its images once: kept for all runs, changed with the image, and made anew on need."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolbox import Images, Sizes, Transform, UserError
from toolbox.io.images import read_image, write_image
from toolbox_plugins.datasets.folder import made_once
from toolbox_plugins.datasets.folders import ImageFolder
from toolbox_plugins.transforms.geometry import CenterCrop, RandomCrop, RandomFlip
from toolbox_plugins.transforms.naming import Copy, named, painted


class Negative(Transform):
    """`most` minus the image `source`, as `target`; each call adds a line to the file `log`, in whatever process."""

    def __init__(self, log: Path, *, source: str = "x", target: str = "made", most: int = 255) -> None:
        self.log, self.source, self.target, self.most = str(log), source, target, most

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        with open(self.log, "a", encoding="utf-8") as file:
            file.write("made\n")
        return {**images, self.target: np.uint8(self.most) - named(images, self.source, self)}

    def sizes_after(self, sizes: Sizes) -> Sizes:
        return painted(sizes, self.source, self.target, self)


class Silent(Negative):
    """The same, which does not say what it adds."""

    def sizes_after(self, sizes: Sizes) -> Any:
        return None


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOOLBOX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def calls(log: Path) -> int:
    return len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0


def photos(folder: Path, count: int = 3, seed: int = 0) -> str:
    """Write images of distinct sizes, whose pixels are nearly all different."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        write_image(folder / f"{number}.png", rng.integers(0, 256, (20 + number, 24, 3), np.uint8))
    return str(folder)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def folder(root: str | list[str], *once: Transform, **more: Any) -> ImageFolder:
    return ImageFolder(root=root, key="x", cache=True, once=list(once), **more)


def agrees(dataset: ImageFolder, most: int = 255) -> bool:
    """Whether of every sample what was made is the negative of the image, pixel by pixel."""
    samples = [dataset.sample(index, rng(seed)) for index in range(len(dataset)) for seed in range(4)]
    return all(np.array_equal(each["made"], np.uint8(most) - each["x"]) for each in samples)


def test_it_is_made_once_and_read_by_every_later_dataset(tmp_path: Path, log: Path) -> None:
    root = photos(tmp_path / "photos")
    first = folder(root, Negative(log))
    assert calls(log) == 3, "before anything is read"
    assert agrees(first) and agrees(folder(root, Negative(log))) and calls(log) == 3
    assert np.array_equal(first.sample(1, rng())["x"], read_image(tmp_path / "photos" / "1.png"))


def test_it_is_cropped_and_flipped_together_with_its_image(tmp_path: Path, log: Path) -> None:
    transforms = [RandomCrop(size=8), RandomFlip(vertical=0.5)]
    dataset = folder(photos(tmp_path / "photos"), Negative(log), transforms=transforms)
    assert agrees(dataset) and calls(log) == 3
    sample = dataset.sample(0, rng())
    assert sample["made"].shape == (8, 8, 3) and sample["name"] == "0.png"
    assert len({dataset.sample(0, rng(seed))["made"].tobytes() for seed in range(8)}) > 1, "places are drawn"
    sample["made"][:] = 0  # must not reach the cache
    assert agrees(dataset)


def test_several_transforms_are_a_chain_and_all_that_they_add_is_kept(tmp_path: Path, log: Path) -> None:
    dataset = folder(photos(tmp_path / "photos"), Copy(source="x", target="y"), Negative(log, source="y"))
    sample = dataset.sample(2, rng())
    assert np.array_equal(sample["y"], sample["x"]) and np.array_equal(sample["made"], 255 - sample["x"])


def test_lists_of_folders_and_images_held_out_have_what_was_made_of_themselves(tmp_path: Path, log: Path) -> None:
    roots = [photos(tmp_path / "a" / "photos"), photos(tmp_path / "b" / "photos", seed=1)]
    parts = [folder(roots, Negative(log), hold_out=2, held_out=held_out) for held_out in (False, True)]
    assert [len(part) for part in parts] == [3, 3] and all(agrees(part) for part in parts)
    assert calls(log) == 6, "the parts share it"
    names = sorted(part.sample(index, rng())["name"] for part in parts for index in range(3))
    assert names == [f"{number}/{image}.png" for number in (1, 2) for image in range(3)]


def test_other_arguments_make_it_anew_and_leave_what_there_was(tmp_path: Path, log: Path) -> None:
    root = photos(tmp_path / "photos")
    first, second = folder(root, Negative(log)), folder(root, Negative(log, most=200))
    assert calls(log) == 6 and agrees(first) and agrees(second, most=200)
    assert agrees(folder(root, Negative(log))) and calls(log) == 6


def test_arguments_that_are_equal_are_the_same_wherever_they_come_from() -> None:
    """One config names an image with one string, another, read from a file, with two that are equal."""
    key, other = "image", "".join(["im", "age"])
    (one,), (two,) = (made_once([Copy(source=each, target="y")], key, True).values() for each in (key, other))
    assert key == other and one.name == two.name


def test_a_changed_file_makes_it_anew(tmp_path: Path, log: Path) -> None:
    root = photos(tmp_path / "photos")
    assert agrees(folder(root, Negative(log))) and calls(log) == 3
    file = tmp_path / "photos" / "1.png"
    state = file.stat()
    write_image(file, 255 - read_image(file))
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert agrees(folder(root, Negative(log))) and calls(log) == 6


def test_damage_is_noticed_and_mended(tmp_path: Path, log: Path, own_cache: Path) -> None:
    root = photos(tmp_path / "photos")
    folder(root, Negative(log))
    raws = list(own_cache.rglob("*.raw"))
    assert len(raws) == 2, "the images and what is made of them"
    for raw in raws:
        raw.write_bytes(b"\x00\x01" + raw.read_bytes()[2:])
    assert agrees(folder(root, Negative(log))) and calls(log) == 6


def test_a_copy_for_another_process_reads_the_same_and_makes_nothing(tmp_path: Path, log: Path) -> None:
    dataset = folder(photos(tmp_path / "photos"), Negative(log), transforms=[RandomCrop(size=8)])
    content = pickle.dumps(dataset)
    copied = pickle.loads(content)
    assert len(content) < 6000, "no pixels go with it"
    assert agrees(copied) and calls(log) == 3
    assert np.array_equal(copied.sample(1, rng(5))["made"], dataset.sample(1, rng(5))["made"])


def test_sizes_name_what_was_made(tmp_path: Path, log: Path) -> None:
    root = photos(tmp_path / "photos")
    assert folder(root, Negative(log)).sizes_of(1) == {"x": (21, 24), "made": (21, 24)}
    cropped = folder(root, Negative(log), transforms=[CenterCrop(size=8)])
    assert cropped.sizes_of(1) == {"x": (8, 8), "made": (8, 8)}


def test_it_needs_a_cache_and_something_to_keep(tmp_path: Path, log: Path) -> None:
    root = photos(tmp_path / "photos")
    with pytest.raises(UserError, match="once keeps what it makes in the cache; set cache: true"):
        ImageFolder(root=root, key="x", once=[Negative(log)])
    for nothing in (RandomFlip(), Negative(log, target="x"), Silent(log)):
        with pytest.raises(UserError, match="once: these transforms add no image to the sample"):
            folder(root, nothing)
    with pytest.raises(UserError, match="the sample has no image 'y'; it has x"):
        folder(root, Negative(log, source="y"))
    assert calls(log) == 0
    assert list(ImageFolder(root=root, key="x", once=[]).sample(0, rng())) == ["x", "name"], "an empty list is none"


def test_what_has_another_size_than_its_image_is_refused_with_the_files_name(tmp_path: Path, log: Path) -> None:
    with pytest.raises(UserError, match=r"\d\.png: what is kept of it must be as large as it is, got \(8, 8, 3\) of"):
        folder(photos(tmp_path / "photos"), CenterCrop(size=8), Negative(log))


class Refusing(Negative):
    """Refuses every image."""

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        raise UserError("no such image")


def test_what_a_transform_refuses_is_named_by_its_file(tmp_path: Path, log: Path) -> None:
    with pytest.raises(UserError, match=r"photos.\d\.png: no such image"):
        folder(photos(tmp_path / "photos"), Refusing(log))
