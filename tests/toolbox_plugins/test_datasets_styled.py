"""Photographs with paintings of several styles, each with the number of its style."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runs import pictures
from toolbox import UserError
from toolbox.io.images import read_image
from toolbox_plugins.datasets.styled import StyledFolders

STYLES = ["monet", "hokusai"]


def test_paintings_come_with_the_number_of_their_style(tmp_path: Path) -> None:
    photos, styles = pictures(tmp_path / "photos", 3), {name: str(pictures(tmp_path / name, 2)) for name in STYLES}
    dataset = StyledFolders(root_a=str(photos), styles=styles)
    rng = np.random.default_rng(0)
    paintings = {
        name: [read_image(path).tobytes() for path in sorted(Path(folder).iterdir())] for name, folder in styles.items()
    }
    seen = set()
    for index in [0, 1, 2] * 8:
        sample = dataset.sample(index, rng)
        assert sample["real_a"].tobytes() == read_image(sorted(photos.iterdir())[index]).tobytes()
        place = paintings[STYLES[sample["style_b"]]].index(sample["real_b"].tobytes())
        seen.add((sample["style_b"], place))
    assert seen == {(style, place) for style in (0, 1) for place in (0, 1)}
    assert len(dataset.named_files()) == 7 and dataset.sizes_of(2) == {"real_a": (48, 48), "real_b": (48, 48)}
    with pytest.raises(UserError, match="styles must name at least one"):
        StyledFolders(root_a=str(photos), styles={})
