"""A thousand damaged configs and a thousand damaged images: only the project's own errors, none taking a second."""

from __future__ import annotations

import io
import struct
import tempfile
import warnings
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir
from PIL import Image

from runs import sr_config, style_config
from toolbox.check import check
from toolbox.config import Config, check_structure, load_config
from toolbox.errors import UserError
from toolbox.images import read_image

set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "hypothesis")  # nothing is written into the tree

fuzz = settings(
    derandomize=True,
    deadline=1000,  # milliseconds for each example
    database=None,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the damaged files lie, one after the other under one name; what is imported once is imported here."""
    folder = tmp_path_factory.mktemp("fuzz")
    for data in configs():
        check(Config(deepcopy(data), folder / "run.yaml"))
    return folder


@cache
def configs() -> tuple[dict[str, Any], ...]:
    """Valid configs with every section: super-resolution, and style with phases, several losses and nested variants."""
    with tempfile.TemporaryDirectory() as pictures:
        sr, style = sr_config(Path(pictures) / "sr"), style_config(Path(pictures) / "style")
    sr["model"]["variant"] = {"type": "SpectralNorm", "base": {"type": "WGANGP", "weight": 10.0}}
    sr["model"]["adversarial"] = {"discriminator": 0.1}
    sr["model"]["losses"] = {"pixel": [{"type": "L1Loss", "weight": 1e-2}, {"type": "MSELoss"}]}
    sr["model"]["phases"] = [{"name": "warm", "until": 2, "adversaries": []}, {"name": "gan", "losses": ["pixel"]}]
    sr["optim_wrapper"]["generator"]["clip_grad"] = {"type": "norm", "max_norm": 1.0}
    sr |= {"randomness": {"seed": 3}, "env_cfg": {"cudnn_benchmark": True}, "plugins": ["no:cyclegan"]}
    sr |= {"visualizer": {"type": "Visualizer", "vis_backends": [{"type": "LocalVisBackend"}]}, "load_from": None}
    style["model"]["variant"] = {"discriminator_a": {"type": "LSGAN"}, "discriminator_b": {"type": "Vanilla"}}
    style |= {"custom_hooks": [], "test_dataloader": style["val_dataloader"], "test_evaluator": style["val_evaluator"]}
    return sr, style


def few(change: st.SearchStrategy[tuple[str, int, int]]) -> st.SearchStrategy[list[tuple[str, int, int]]]:
    """One change as often as several: the first that is noticed hides the others."""
    return st.lists(change, min_size=1, max_size=1) | st.lists(change, min_size=2, max_size=4)


# ------------------------------------------------------------------ configs, as data

ODD: list[Any] = [
    None, True, False, -1, 0, 1, 3, 10**30, -0.5, 1e-320, 1e308, float("nan"), float("inf"), "", " ", "0", "null",
    "x" * 5000, "é\u202e\ud83d\ude00", "a.b", "a/b", "../x", "{{ fileDirname }}", "{{ x }}", "%s{0}", "[bold]", [], {},
    [[]], [None], [{}], {"type": None}, {"type": []}, {"type": {}}, {"type": "L1Loss"}, {"type": "SRGAN"},
    {"type": "os.system"}, {"type": "Vanilla", "weight": "x"}, {"": 1}, {"a.b": {"type": "L1Loss"}},
    [{"type": "L1Loss"}] * 3, [[["a"]]], {"_delete_": True}, {"_base_": "x.yaml"}, "generator", ["pixel"], "NaN",
    "1e-4", [0.5, 0.9], [1, 2, 3], list(range(300)),
]  # fmt: skip
"""What may stand where something else belongs."""
KEYS = ["type", "", "weight", "pool", "parts", "self", "a.b", "_scope_", "_delete_", "lr", "kwargs", "modle", "0", "é"]

structural = few(
    st.tuples(
        st.sampled_from(["replace", "replace", "delete", "rename", "add", "swap", "wrap", "repeat"]),
        st.integers(0, 10_000),  # where, modulo the number of places
        st.integers(0, 10_000),  # what
    )
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key (or index) below a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from places(item)


def damaged(data: dict[str, Any], changes: list[tuple[str, int, int]]) -> dict[str, Any]:
    """The config with some of its places changed."""
    data = deepcopy(data)
    for change, where, what in changes:
        every = list(places(data))
        if not every:
            break
        place, key = every[where % len(every)]
        other, other_key = every[what % len(every)]
        if change == "replace":
            place[key] = deepcopy(ODD[what % len(ODD)])
        elif change == "delete":
            del place[key]
        elif change == "rename" and isinstance(place, dict):
            value, name = place.pop(key), (f"{key}s", str(key)[1:], *KEYS)[what % (len(KEYS) + 2)]
            place[name] = value
        elif change == "add" and isinstance(place, dict):
            place[KEYS[what % len(KEYS)]] = deepcopy(ODD[where % len(ODD)])
        elif change == "swap":
            value = deepcopy(place[key])
            place[key] = deepcopy(other[other_key])
            other[other_key] = value
        elif change == "wrap":
            place[key] = [place[key]] if what % 2 else {"type": place[key]}
        elif change == "repeat":
            place[key] = [deepcopy(place[key]) for _ in range(what % 4)]
    return data


@pytest.mark.parametrize(("which", "through_yaml"), [(0, False), (1, False), (0, True)])
@settings(fuzz, max_examples=200)
@given(changes=structural)
def test_a_config_of_the_wrong_shape_is_refused_in_one_line(
    folder: Path, which: int, through_yaml: bool, changes: list[tuple[str, int, int]]
) -> None:
    data, file = damaged(configs()[which], changes), folder / "run.yaml"
    try:
        if through_yaml:
            file.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
            config = load_config(file)
        else:
            config = Config(data, file)
        check_structure(config)
        check(config)
    except UserError as error:
        assert_one_line(error)


# ------------------------------------------------------------------ configs, as text

PIECES = [
    b"\x00", b"\xff\xfe", b"\xc3", b"\t", b"\r", b"\n\n", b"  ", b": ", b"- ", b"&a ", b"*a ", b"<<: *a\n",
    b"!!python/name:os.system ", b"!tag ", b"{", b"}", b"[", b"]", b"'", b'"', b"|", b">", b"?", b"%YAML 9.9\n",
    b"---\n", b"...\n", b"#", b"@", b"`", b"~", b".nan", b"0x", b"1_0", b"010", b"2001-01-01", b"9" * 400, b"1e999",
    b"yes", b"_base_: run.yaml\n", b"_base_: [a, b]\n",
    b"{{ fileDirname }}", b"[" * 60, b"a: &a [*a]\n", b"\xe2\x80\xa8", b"\xef\xbb\xbf",
]  # fmt: skip
"""Bytes that mean something to YAML, to text or to configs."""

bytewise = few(
    st.tuples(
        st.sampled_from(["flip", "flip", "cut", "insert", "repeat", "move", "end"]),
        st.integers(0, 99_999),  # where, in 100,000ths of the file
        st.integers(0, 10_000),  # what, or how much
    )
)


def scrambled(content: bytes, changes: list[tuple[str, int, int]], pieces: list[bytes]) -> bytes:
    """The content with some of its bytes changed."""
    for change, where, what in changes:
        at = where * len(content) // 100_000
        if change == "flip" and content:
            content = content[:at] + bytes([content[at] ^ (1 << what % 8)]) + content[at + 1 :]
        elif change == "cut":
            content = content[:at] + content[at + 1 + what % 40 :]
        elif change == "insert":
            content = content[:at] + pieces[what % len(pieces)] + content[at:]
        elif change == "repeat":
            content = content[:at] + content[at : at + what % 200] * 3 + content[at:]
        elif change == "move":
            other = what % (len(content) + 1)
            content = content[:at] + content[other : other + 30] + content[at + 30 :]
        elif change == "end":
            content = content[:at]
    return content


@pytest.mark.parametrize("which", [0, 1])
@settings(fuzz, max_examples=200)
@given(changes=bytewise)
def test_a_config_file_of_damaged_text_is_refused_in_one_line(
    folder: Path, which: int, changes: list[tuple[str, int, int]]
) -> None:
    text = yaml.safe_dump(configs()[which], sort_keys=False).encode()
    file = folder / "run.yaml"
    file.write_bytes(scrambled(text, changes, PIECES))
    try:
        config = load_config(file)
        check_structure(config)
        check(config)
    except UserError as error:
        assert_one_line(error)


def assert_one_line(error: UserError) -> None:
    """A message is one printable line of a readable length, whatever stood in the file."""
    text = str(error)
    assert text and len(text) < 2000 and "\n" not in text and "\r" not in text, text


# ------------------------------------------------------------------ images


@cache
def images() -> dict[str, bytes]:
    """Whole files of every format and of the modes that are decoded differently."""
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.integers(0, 256, (5, 6, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    rgb = Image.fromarray(smooth)
    exif = Image.Exif()
    exif[0x0112], exif[0x0132] = 6, "2001:01:01 00:00:00"
    made: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "png": (rgb, "PNG", {"exif": exif}),
        "palette.png": (rgb.quantize(16), "PNG", {"transparency": 3}),
        "alpha.png": (rgb.convert("RGBA"), "PNG", {}),
        "gray.png": (rgb.convert("L"), "PNG", {}),
        "jpg": (rgb, "JPEG", {"exif": exif, "quality": 90}),
        "progressive.jpg": (rgb, "JPEG", {"progressive": True}),
        "cmyk.jpg": (rgb.convert("CMYK"), "JPEG", {}),
        "webp": (rgb, "WEBP", {"exif": exif}),
        "lossless.webp": (rgb.convert("RGBA"), "WEBP", {"lossless": True}),
        "bmp": (rgb, "BMP", {}),
        "palette.bmp": (rgb.quantize(16), "BMP", {}),
        "tif": (rgb, "TIFF", {"exif": exif}),
        "lzw.tif": (rgb, "TIFF", {"compression": "tiff_lzw"}),
        "jpeg.tif": (rgb, "TIFF", {"compression": "jpeg"}),
    }
    files = {}
    for name, (image, kind, options) in made.items():
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        files[name] = buffer.getvalue()
    return files


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
HEADERS = [
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"BM", b"II*\0", b"MM\0*", b"GIF89a",
    b"P6\n9 9\n255\n", EPS,
]  # fmt: skip
BYTES = [b"\x00", b"\xff", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xd9", b"IEND", b"\x00" * 40, *HEADERS]


@pytest.mark.parametrize("strict", [False, True], ids=["as users run", "warnings are errors"])
@settings(fuzz, max_examples=500)
@given(
    name=st.sampled_from(sorted(images())),
    header=st.none() | st.sampled_from([*HEADERS, *sorted(images())]),
    early=st.booleans(),  # damage the first 100 bytes, where sizes and kinds stand
    changes=bytewise,
)
def test_a_damaged_image_is_read_or_refused_by_name(
    folder: Path,
    strict: bool,
    name: str,
    header: bytes | str | None,
    early: bool,
    changes: list[tuple[str, int, int]],
) -> None:
    content = images()[name]
    if header is not None:
        start = images()[header][:64] if isinstance(header, str) else header
        content = start + content[len(start) :]
    head = 100 if early else len(content)
    file = folder / f"x.{name.rpartition('.')[2]}"
    file.write_bytes(scrambled(content[:head], changes, BYTES) + content[head:])
    with warnings.catch_warnings():
        warnings.simplefilter("error" if strict else "ignore")
        try:
            array = read_image(file)
        except UserError as error:
            assert_one_line(error)
            assert file.name in str(error)
        else:
            assert array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3


# ------------------------------------------------------------------ what such tests found, kept


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("model: {type: SRGAN}\n'': 1\n", "line 2: a key is empty text"),
        (f"model: {{type: {'x' * 5000}}}\n", "model.type: 'xxx"),
        (f"model: {{type: SRGAN}}\nplugins: [{'x' * 5000}]\n", "plugins.0: 'xxx"),
    ],
)
def test_names_that_are_empty_or_endless_are_refused_in_one_short_line(folder: Path, text: str, wanted: str) -> None:
    (folder / "run.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        check_structure(load_config(folder / "run.yaml"))
    assert wanted in str(caught.value)
    assert_one_line(caught.value)


def test_a_value_of_the_wrong_kind_is_refused_where_nothing_else_looks_at_it(folder: Path) -> None:
    for value in ("x" * 5000, True):
        data = deepcopy(configs()[0])
        data["model"]["phases"][0]["until"] = value
        with pytest.raises(UserError, match="until: wants an iteration") as caught:
            check(Config(data, folder / "run.yaml"))
        assert_one_line(caught.value)
    data = deepcopy(configs()[0])
    data["visualizer"]["vis_backends"] = 0.5
    with pytest.raises(UserError, match="vis_backends: wants a list"):
        check(Config(data, folder / "run.yaml"))


def resized_tiff(width: int, height: int) -> bytes:
    """A small TIFF that claims another size."""
    content = bytearray(images()["tif"])
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag = struct.unpack_from("<H", content, entry)[0]
        if tag in (256, 257, 278):
            struct.pack_into("<HII", content, entry + 2, 4, 1, width if tag == 256 else height)
    return bytes(content)


def resized_jpeg(width: int, height: int) -> bytes:
    """A small JPEG that claims another size."""
    content = bytearray(images()["jpg"])
    struct.pack_into(">HH", content, content.index(b"\xff\xc0") + 5, height, width)
    return bytes(content)


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda: resized_jpeg(13_000, 13_000), "hold no JPEG of 169,000,000 pixels"),  # was read, gray, in 6 s
        (lambda: resized_tiff(1, 170_000_000), "a side of 170,000,000 pixels"),  # took 1.6 GB before it was refused
        (lambda: EPS + b"showpage\n", "EPS is drawn by a program"),  # was handed to Ghostscript
    ],
    ids=["jpeg", "tiff", "eps"],
)
def test_a_header_that_promises_too_much_is_refused_before_decoding(folder: Path, make: Any, wanted: str) -> None:
    file = folder / "x.png"
    file.write_bytes(make())
    with pytest.raises(UserError, match=wanted):
        read_image(file)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_smallest_honest_jpegs_are_read(folder: Path, mode: str) -> None:
    file = folder / "flat.jpg"
    Image.new(mode, (1024, 2048)).save(file, quality=1, optimize=True, progressive=True)
    assert read_image(file).shape == (2048, 1024, 3)
