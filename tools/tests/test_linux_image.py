"""Kernels unpacked on the host, checked on a small forged one."""

import lzma
import struct

import pytest

from trapeze import HostError, linux_image
from trapeze.linux_image import ENTRY_ROOM, get

START = 0x1000000


def forge_elf(*segments, entry=START):
    """An ELF file of (physical address, content, size in memory)."""
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, entry, 64, 0, 0, 64, 56,
                         len(segments), 0, 0, 0)
    table, data, at = b"", b"", 64 + 56 * len(segments)
    for address, content, memory in segments:
        table += struct.pack("<IIQQQQQQ", 1, 7, at + len(data), 0, address, len(content), memory, 1)
        data += content
    return header + table + data


def forge_image(payload, sectors=2):
    """A bzImage that packs this: a setup, 0x100 bytes of code, the payload."""
    setup = bytearray((sectors + 1) * 512)
    linux_image.put(setup, linux_image.SETUP_SECTORS, sectors)
    struct.pack_into("<II", setup, linux_image.PAYLOAD[0], 0x100, len(payload))
    linux_image.put(setup, linux_image.MEMORY, 0x30000)
    return bytes(setup) + bytes(0x100) + payload + b"decompressor"


ELF = forge_elf((START, b"first", 0x1000), (START + 0x1000, b"second", 0x3000))


def test_segments_lie_as_in_memory():
    start, content, entry = linux_image.flat(ELF)
    assert (start, entry, len(content)) == (START, START, 0x4000)
    assert content[:5] == b"first"
    assert content[0x1000:0x1008] == b"second\0\0"


def test_image_is_unpacked(tmp_path):
    image = linux_image.without_decompression(forge_image(lzma.compress(ELF)), tmp_path)
    body = image[3 * 512:]
    assert get(image, linux_image.LOAD_ADDRESS) == START - ENTRY_ROOM
    assert get(image, linux_image.PAGES_OF_16) == (len(body) + 15) // 16
    assert get(image, linux_image.MEMORY) >= ENTRY_ROOM + 0x4000
    assert body[ENTRY_ROOM:] == b"first".ljust(0x1000, b"\0") + b"second\0\0"
    # The entry clears the zeros that the file leaves out.
    assert struct.pack("<I", START + 0x1008) in body[:64]
    assert struct.pack("<I", (0x3000 - 8) // 4) in body[:64]


@pytest.mark.parametrize("payload", [b"\x28\xb5\x2f\xfd" + bytes(99), lzma.compress(b"no ELF")])
def test_what_is_not_known_is_left_alone(tmp_path, payload):
    image = forge_image(payload)
    assert linux_image.without_decompression(image, tmp_path) is image


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:24] + data[28:]])
def test_damaged_image(tmp_path, damage):
    with pytest.raises(HostError, match="cannot be unpacked"):
        linux_image.without_decompression(forge_image(damage(lzma.compress(ELF))), tmp_path)


def test_no_compiler(tmp_path):
    with pytest.raises(HostError, match="nosuch-gcc"):
        linux_image.assemble({}, tmp_path, "nosuch-gcc")
