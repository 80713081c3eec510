"""Linux kernels whose decompression is done here, on the host: in Bochs it takes more than half of
the boot. What comes out is a bzImage again, with the same kernel in it, for GRUB to load."""

import lzma
import struct
import subprocess
from pathlib import Path

from . import HostError

ENTRY = Path(__file__).with_name("linux_entry.S")
ENTRY_ROOM = 0x10000  # as linux_entry.S is laid out: the kernel comes after it
XZ_MAGIC = b"\xfd7zXZ\0"
PT_LOAD = 1
SECTOR = 512

# The setup header (Linux, Documentation/arch/x86/boot.rst): offset and form of its fields.
SETUP_SECTORS = 0x1f1, "<B"
PAGES_OF_16 = 0x1f4, "<I"  # syssize
ALIGNMENT = 0x230, "<I"
MIN_ALIGNMENT = 0x235, "<B"
PAYLOAD = 0x248, "<II"  # offset, length
LOAD_ADDRESS = 0x258, "<Q"  # pref_address
MEMORY = 0x260, "<I"  # init_size


def get(data, field):
    """The value of a field of the header, or the tuple of its values."""
    values = struct.unpack_from(field[1], data, field[0])
    return values if len(values) > 1 else values[0]


def put(data, field, value):
    """Changes a field of the header."""
    struct.pack_into(field[1], data, field[0], value)


def unpacked(image):
    """The ELF file in a bzImage, or None when it is not packed in a way known here."""
    offset, length = get(image, PAYLOAD)
    start = (get(image, SETUP_SECTORS) + 1) * SECTOR + offset
    payload = image[start:start + length]
    if not payload.startswith(XZ_MAGIC):
        return None
    unpacker = lzma.LZMADecompressor()
    try:
        elf = unpacker.decompress(payload)
    except lzma.LZMAError as error:
        raise HostError(f"the kernel's image cannot be unpacked: {error}") from None
    if not unpacker.eof:
        raise HostError("the kernel's image cannot be unpacked: it is cut off")
    return elf if elf.startswith(b"\x7fELF\x02") else None


def flat(elf):
    """(physical address, bytes, entry) of an ELF file's segments, laid out as in memory."""
    entry, table = struct.unpack_from("<QQ", elf, 24)
    count, = struct.unpack_from("<H", elf, 56)
    segments = []
    for i in range(count):
        kind, _, offset, _, address, size, memory, _ = struct.unpack_from("<IIQQQQQQ", elf, table + i * 56)
        if kind == PT_LOAD:
            segments.append((address, elf[offset:offset + size], memory))
    start = min(address for address, _, _ in segments)
    content = bytearray(max(address + memory for address, _, memory in segments) - start)
    for address, data, _ in segments:
        content[address - start:address - start + len(data)] = data
    return start, bytes(content), entry


def assemble(definitions, work, compiler="gcc"):
    """linux_entry.S as bytes."""
    code = work / "linux_entry"
    command = [compiler, "-m32", "-nostdlib", "-static", "-no-pie", "-Wl,--oformat=binary,-Ttext=0,"
               "--build-id=none", *(f"-D{name}={value:#x}" for name, value in definitions.items()),
               "-o", str(code), str(ENTRY)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except OSError as error:
        raise HostError(f"{compiler}: {error.strerror}: run tools/setup run") from None
    except subprocess.CalledProcessError as error:
        raise HostError(f"{ENTRY.name} cannot be assembled:\n{error.stderr}") from None
    return code.read_bytes()


def without_decompression(image, work):
    """The same kernel as a bzImage that starts at once; the image itself where that is not known."""
    elf = unpacked(image)
    if elf is None:
        return image
    address, content, entry = flat(elf)
    kept = content.rstrip(b"\0")
    kept += bytes(-len(kept) % 4)
    load = address - ENTRY_ROOM
    code = assemble({"LOAD": load, "ENTRY": entry, "ZEROS": address + len(kept),
                     "ZERO_WORDS": (len(content) - len(kept)) // 4}, work)
    setup = bytearray(image[:(get(image, SETUP_SECTORS) + 1) * SECTOR])
    body = code.ljust(ENTRY_ROOM, b"\0") + kept
    put(setup, PAGES_OF_16, (len(body) + 15) // 16)
    put(setup, ALIGNMENT, ENTRY_ROOM)
    put(setup, MIN_ALIGNMENT, ENTRY_ROOM.bit_length() - 1)
    put(setup, LOAD_ADDRESS, load)
    put(setup, MEMORY, ENTRY_ROOM + max(get(image, MEMORY), len(content)))
    return bytes(setup) + body
