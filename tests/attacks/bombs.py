"""Fifty picture bombs: small files that claim, or unfold to, more than any machine has."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

from PIL import Image

from attacks import attack
from attacks.images import Attack as OfImages
from attacks.images import images

MIB = 1 << 20
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def unfolding(mebibytes: int) -> bytes:
    """A zlib stream of so many MiB of zeros, in a thousandth of them."""
    packer = zlib.compressobj(9)
    start = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + block * mebibytes + packer.flush()


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *extra: bytes, bits: int = 8, colour: int = 2, pixels: bytes | None = None) -> bytes:
    """A PNG of any claim; by default its pixels are those of 4 by 4."""
    pixels = zlib.compress(bytes(13 * 4)) if pixels is None else pixels
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return SIGNATURE + head + b"".join(extra) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def tiff(*tags: tuple[int, int, int, int], data: bytes = b"", following: int = 0) -> bytes:
    """A TIFF of one directory at 8, with `data` behind it; a tag is (number, type, count, value or offset)."""
    usual = {
        256: (256, 3, 1, 4), 257: (257, 3, 1, 4), 258: (258, 3, 1, 8), 259: (259, 3, 1, 1), 262: (262, 3, 1, 1),
        273: (273, 4, 1, 300), 277: (277, 3, 1, 1), 278: (278, 4, 1, 4), 279: (279, 4, 1, 16),
    }  # fmt: skip
    entries = sorted({**usual, **{tag[0]: tag for tag in tags}}.values())
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    start = b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + struct.pack("<I", following)
    return start.ljust(300, b"\0") + (data or bytes(16))


def pages(number: int) -> bytes:
    """A TIFF of so many pages, each the same picture."""
    one = tiff()[8:300].rstrip(b"\0").ljust(150, b"\0")
    count = struct.unpack_from("<H", one)[0]
    made = [b"II*\0" + struct.pack("<I", 8)]
    for page in range(number):
        following = 8 + (page + 1) * 150 if page + 1 < number else 0
        made.append(one[: 2 + 12 * count] + struct.pack("<I", following) + bytes(150 - 6 - 12 * count))
    return b"".join(made)


def jpeg(width: int, height: int, *segments: bytes, name: str = "jpg") -> bytes:
    """A small JPEG that claims another size, with segments behind its first two bytes."""
    content = bytearray(images()[name])
    frame = content.index(b"\xff\xc0" if name == "jpg" else b"\xff\xc2")
    struct.pack_into(">HH", content, frame + 5, height, width)
    return bytes(content[:2]) + b"".join(segments) + bytes(content[2:])


def segment(marker: int, data: bytes) -> bytes:
    """A segment of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def scans(side: int, number: int) -> bytes:
    """A progressive JPEG whose one component is gone over again and again."""
    buffer = io.BytesIO()
    Image.new("L", (side, side)).save(buffer, "JPEG", progressive=True, quality=10)
    content = buffer.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * number + b"\xff\xd9"


def gif(width: int, height: int, frames: int) -> bytes:
    """A GIF of so many frames of one pixel each."""
    frame = b"!\xf9\x04\x00\x01\x00\x00\x00,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0"
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0\0\0\0\xff\xff\xff" + frame * frames + b";"


def apng(frames: int, claimed: int, side: int = 4) -> bytes:
    """An APNG of so many frames, of which it claims to have another number."""
    data = zlib.compress(bytes((side * 3 + 1) * side))
    control = struct.pack(">IIIIHHBB", side, side, 0, 0, 1, 30, 0, 0)
    parts = [chunk(b"acTL", struct.pack(">II", claimed, 0)), chunk(b"fcTL", struct.pack(">I", 0) + control)]
    first = png(side, side, *parts, pixels=data)[:-12]
    small = struct.pack(">IIIIHHBB", 1, 1, 0, 0, 1, 30, 0, 0)
    dot = zlib.compress(bytes(4))
    made = [first]
    for number in range(frames - 1):
        made.append(chunk(b"fcTL", struct.pack(">I", 2 * number + 1) + small))
        made.append(chunk(b"fdAT", struct.pack(">I", 2 * number + 2) + dot))
    return b"".join([*made, chunk(b"IEND", b"")])


def webp(*parts: tuple[bytes, bytes]) -> bytes:
    """A WebP of any chunks, the simple picture's own last."""
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in parts)
    body += images()["lossless.webp"][12:]
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def canvas(flags: int, width: int, height: int) -> tuple[bytes, bytes]:
    """WebP's VP8X."""
    return b"VP8X", bytes([flags, 0, 0, 0]) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]


def bmp(width: int, height: int, bits: int = 24, compression: int = 0, colours: int = 0, data: bytes = b"") -> bytes:
    """A BMP of any claim."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(data), 0, 0, 54 + 1024) + head + bytes(1024) + data


def ico(inner: bytes, number: int = 1) -> bytes:
    """An icon of so many entries, all the same picture."""
    entry = struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, len(inner), 6 + 16 * number)
    return struct.pack("<HHH", 0, 1, number) + entry * number + inner


def fits(mebibytes: int) -> bytes:
    """A FITS whose rows are one gzip of zeros."""
    cards = [
        "SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    0", "END",
    ]  # fmt: skip
    head = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    data = gzip.compress(bytes(MIB), 9) * mebibytes
    cards = [
        "XTENSION= 'BINTABLE'", "BITPIX  =                    8", "NAXIS   =                    2",
        "NAXIS1  =                    8", "NAXIS2  =                  100", "ZIMAGE  =                    T",
        "ZCMPTYPE= 'GZIP_1  '", "ZBITPIX =                    8", "ZNAXIS  =                    2",
        "ZNAXIS1 =                  100", "ZNAXIS2 =                  100", "END",
    ]  # fmt: skip
    return head + "".join(card.ljust(80) for card in cards).ljust(2880).encode() + bytes(800) + data


def exif(entries: int, pointer: int = 26) -> bytes:
    """EXIF whose directory points at itself, and claims texts of four gigabytes."""
    tags = [struct.pack("<HHII", 0x8769, 4, 1, 8), struct.pack("<HHII", 0x927C, 7, 0xFFFFFFF0, pointer)]
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, entries) + b"".join(tags) * (entries // 2) + struct.pack("<I", 8)


def deep_pages(channels: int, width: int, height: int) -> bytes:
    """A TIFF of many channels, deflated: what only tifffile reads."""
    shorts = (258, 3, channels, 400)
    size = (256, 4, 1, width), (257, 4, 1, height), (278, 4, 1, height)
    data = bytes(100) + struct.pack("<H", 8) * channels
    packed = unfolding(64)
    tags = [
        *size,
        shorts,
        (259, 3, 1, 8),
        (277, 3, 1, channels),
        (273, 4, 1, 300 + len(data)),
        (279, 4, 1, len(packed)),
    ]
    return tiff(*tags, data=data + packed)


PROFILE = b"icc\0\0" + unfolding(1024)
BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a PNG of 2^31 squared": ("png", lambda: png(2**31 - 1, 2**31 - 1)),
    "a PNG of one pixel more than the limit": ("png", lambda: png(178_956_971, 1)),
    "a PNG of a column": ("png", lambda: png(1, 170_000_000)),
    "a PNG of 169 million pixels of one bit": (
        "png", lambda: png(13_000, 13_000, bits=1, colour=0, pixels=zlib.compress(bytes(1626 * 13_000), 1))),
    "a PNG of 169 million pixels in colour": ("png", lambda: png(13_000, 13_000, pixels=unfolding(484))),
    "a PNG of no pixels": ("png", lambda: png(0, 0)),
    "a PNG whose pixels unfold to 2 GiB": ("png", lambda: png(4, 4, pixels=unfolding(2048))),
    "a PNG whose text unfolds to 1 GiB": ("png", lambda: png(4, 4, chunk(b"zTXt", b"a\0\0" + unfolding(1024)))),
    "a PNG of a thousand texts": ("png", lambda: png(4, 4, chunk(b"zTXt", b"a\0\0" + unfolding(1)[:-20]) * 1000)),
    "a PNG whose Unicode unfolds": ("png", lambda: png(4, 4, chunk(b"iTXt", b"a\0\1\0\0\0" + unfolding(1024)))),
    "a PNG whose profile unfolds": ("png", lambda: png(4, 4, chunk(b"iCCP", PROFILE))),
    "a PNG of a million chunks": ("png", lambda: png(4, 4, chunk(b"abCd", b"") * 1_000_000)),
    "a PNG whose chunk is 2 GiB": ("png", lambda: png(4, 4, struct.pack(">I4s", 2**31 - 1, b"tEXt"))),
    "a PNG with EXIF of a circle": ("png", lambda: png(4, 4, chunk(b"eXIf", exif(1000)[6:]))),
    "an APNG of 2^31 frames": ("png", lambda: apng(2, 2**31 - 1)),
    "an APNG of 100,000 frames": ("png", lambda: apng(100_000, 100_000)),
    "an APNG of 500 large frames": ("png", lambda: apng(500, 500, side=3000)),
    "a GIF of 65,535 squared": ("gif", lambda: gif(65_535, 65_535, 1)),
    "a GIF of a million frames": ("gif", lambda: gif(4, 4, 1_000_000)),
    "a GIF of 500 frames of 100 million pixels": ("gif", lambda: gif(10_000, 10_000, 500)),
    "a TIFF of 2^32 squared": ("tif", lambda: tiff((256, 4, 1, 2**32 - 1), (257, 4, 1, 2**32 - 1))),
    "a TIFF of a column": ("tif", lambda: tiff((257, 4, 1, 170_000_000))),
    "a TIFF of 2^32 strips": ("tif", lambda: tiff((273, 4, 2**32 - 1, 300), (279, 4, 2**32 - 1, 300))),
    "a TIFF of strips of no rows": ("tif", lambda: tiff((278, 4, 1, 0))),
    "a TIFF of a million strips": (
        "tif", lambda: tiff((257, 4, 1, 900_000), (278, 4, 1, 1), (273, 4, 900_000, 300), (279, 4, 900_000, 300),
                            data=bytes(4_000_000))),
    "a TIFF of tiles of 2^31": (
        "tif", lambda: tiff((322, 4, 1, 2**31), (323, 4, 1, 2**31), (324, 4, 1, 300), (325, 4, 1, 2**31))),
    "a TIFF of 160 million tiles": (
        "tif", lambda: tiff((256, 4, 1, 12_000), (257, 4, 1, 12_000), (322, 4, 1, 1), (323, 4, 1, 1),
                            (324, 4, 2**27, 300), (325, 4, 2**27, 300))),
    "a TIFF of 65,535 channels": ("tif", lambda: tiff((277, 3, 1, 65_535), (258, 3, 65_535, 300))),
    "a TIFF whose next page is itself": ("tif", lambda: tiff(following=8)),
    "a TIFF of 100,000 pages": ("tif", lambda: pages(100_000)),
    "a TIFF whose profile is 4 GiB": ("tif", lambda: tiff((34675, 7, 2**32 - 16, 300))),
    "a TIFF whose description is 4 GiB": ("tif", lambda: tiff((270, 2, 2**32 - 16, 300))),
    "a TIFF whose EXIF is its first page": ("tif", lambda: tiff((34665, 4, 1, 8), (330, 4, 1, 8))),
    "a TIFF whose strip unfolds to 1 GiB": (
        "tif", lambda: tiff((259, 3, 1, 8), (279, 4, 1, 1_100_000), data=unfolding(1024))),
    "a TIFF of 12 channels of 14 million pixels": ("tif", lambda: deep_pages(12, 3_700, 3_700)),
    "a JPEG of 65,500 squared": ("jpg", lambda: jpeg(65_500, 65_500)),
    "a JPEG of 13,000 squared": ("jpg", lambda: jpeg(13_000, 13_000)),
    "a JPEG of 2000 scans": ("jpg", lambda: scans(6000, 2000)),
    "a JPEG whose profile has 255 parts of one": (
        "jpg", lambda: jpeg(48, 40, *[segment(0xE2, b"ICC_PROFILE\0" + bytes([n, 255]) + b"x" * 9) for n in (1, 9)])),
    "a JPEG of 100,000 comments": ("jpg", lambda: jpeg(48, 40, segment(0xFE, b"x") * 100_000)),
    "a JPEG with EXIF of a circle": ("jpg", lambda: jpeg(48, 40, segment(0xE1, exif(5000)))),
    "a JPEG that holds 2^31 pictures": (
        "jpg", lambda: jpeg(48, 40, segment(0xE2, b"MPF\0II*\0" + struct.pack(
            "<IHHHIIHHII", 8, 2, 0xB001, 4, 1, 2**31 - 1, 0xB002, 7, 2**31 - 1, 8)))),
    "a WebP of a canvas of 2^24 squared": ("webp", lambda: webp(canvas(2, 1 << 24, 1 << 24))),
    "a WebP whose profile is 4 GiB": ("webp", lambda: webp(canvas(0x20, 48, 40), (b"ICCP", b""))[:-4]),
    "a BMP of 2^31": ("bmp", lambda: bmp(2**31 - 1, 2**31 - 1)),
    "a BMP of runs": ("bmp", lambda: bmp(13_000, 13_000, 8, 1, 256, b"\xff\0" * 700_000)),
    "a BMP of 2^31 colours": ("bmp", lambda: bmp(4, 4, 8, 0, 2**31 - 1, bytes(100))),
    "an icon that holds a PNG of 2^31": ("ico", lambda: ico(png(2**31 - 1, 2**31 - 1))),
    "an icon that holds a PNG of 400 million pixels": ("ico", lambda: ico(png(20_000, 20_000))),
    "an icon of 65,535 entries": ("ico", lambda: ico(images()["png"], 65_535)),
    "a JPEG 2000 of tiles of one pixel": ("jp2", lambda: jpeg2000(12_000, 12_000, 1)),
    "a JPEG 2000 of 2^31": ("jp2", lambda: jpeg2000(2**31 - 1, 2**31 - 1, 64)),
    "a Targa of runs": (
        "tga", lambda: struct.pack("<BBBHHBHHHHBB", 0, 0, 10, 0, 0, 0, 0, 0, 13_000, 13_000, 24, 0) + bytes(36)),
    "a pixmap of a number of a megabyte": ("ppm", lambda: b"P6 " + b"9" * MIB + b" 4 255 "),
    "a pixmap of a comment without end": ("ppm", lambda: b"P6 #" + b"x" * (8 * MIB)),
    "a pixmap of 2^31": ("pgm", lambda: b"P5 100000 100000 65535 "),
    "a FITS whose rows unfold to 2 GiB": ("fits", lambda: fits(2048)),
    "an SGI of runs": ("sgi", lambda: images()["sgi"][:6] + struct.pack(">HHH", 13_000, 13_000, 3)),
    "a film of 65,535 frames": (
        "fli", lambda: struct.pack("<IHHHHHHI", 128, 0xAF12, 65_535, 320, 200, 8, 3, 0).ljust(128, b"\0")),
}  # fmt: skip


def jpeg2000(width: int, height: int, tile: int) -> bytes:
    """A JPEG 2000 that claims another size and tiles of another one."""
    content = bytearray(images()["jp2"])
    struct.pack_into(">II", content, content.index(b"ihdr") + 4, height, width)
    size = content.index(b"\xff\x51") + 6
    struct.pack_into(">IIIIIIII", content, size, width, height, 0, 0, tile, tile, 0, 0)
    return bytes(content)


class Attack(attack.Attack):
    """Each is refused, or read in ten seconds and two gigabytes, by all that read pictures."""

    cases = len(BOMBS) * len(OfImages.WAYS)

    def attempt(self, number: int, draw: Random, folder: Path) -> bool:
        bomb, way = divmod(number, len(OfImages.WAYS))
        suffix, make = list(BOMBS.values())[bomb]
        file = folder / f"x.{suffix}"
        file.write_bytes(make())
        OfImages.WAYS[way](file)
        return False
