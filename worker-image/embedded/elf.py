"""Just enough of ELF: which functions a library leaves to others, and a library that has them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

RETURN_ONE = b"\xb8\x01\x00\x00\x00\xc3"  # mov eax, 1; ret
SYMBOL = struct.Struct("<IBBHQQ")  # name, info, other, section, value, size
SECTION = struct.Struct("<IIQQQQIIQQ")  # name, type, flags, address, offset, size, link, info, …
DYNSYM, VERSIONS, VERSIONS_NEEDED = 11, 0x6FFFFFFF, 0x6FFFFFFE
GLOBAL_FUNCTION = 0x12
UNVERSIONED = 1
PAGE = 0x1000


class Function(NamedTuple):
    """A dynamic symbol; ``version`` is empty where the reference names none."""

    name: bytes
    version: bytes


def undefined_functions(elf: bytes) -> set[Function]:
    """The dynamic symbols that a 64-bit little-endian ELF file leaves to others."""
    sections = _sections(elf)
    symbols, versions = sections[DYNSYM], sections[VERSIONS]
    strings_at = symbols.strings_at
    names = _needed_versions(elf, sections.get(VERSIONS_NEEDED))
    found = set()
    for row in range(symbols.size // SYMBOL.size):
        name, _, _, section, _, _ = SYMBOL.unpack_from(elf, symbols.at + row * SYMBOL.size)
        if section == 0 and name:
            (version,) = struct.unpack_from("<H", elf, versions.at + 2 * row)
            found.add(Function(_string(elf, strings_at + name), names.get(version & 0x7FFF, b"")))
    return found


class _Section(NamedTuple):
    at: int
    size: int
    strings_at: int
    info: int


def _sections(elf: bytes) -> dict[int, _Section]:
    """The sections by type; of types that occur often the last one, which nobody asks for."""
    (table_at,) = struct.unpack_from("<Q", elf, 0x28)
    entry_size, count = struct.unpack_from("<HH", elf, 0x3A)
    rows = [SECTION.unpack_from(elf, table_at + i * entry_size) for i in range(count)]
    return {row[1]: _Section(row[4], row[5], rows[row[6]][4], row[7]) for row in rows}


def _needed_versions(elf: bytes, section: _Section | None) -> dict[int, bytes]:
    """Version names by index, from the chain of files and, in each, the chain of versions."""
    names: dict[int, bytes] = {}
    if section is None:
        return names
    file_at = section.at
    for _ in range(section.info):
        _, count, _, first, next_file = struct.unpack_from("<HHIII", elf, file_at)
        at = file_at + first
        for _ in range(count):
            _, _, index, name, following = struct.unpack_from("<IHHII", elf, at)
            names[index] = _string(elf, section.strings_at + name)
            at += following
        file_at += next_file
    return names


def _string(elf: bytes, at: int) -> bytes:
    return elf[at : elf.index(b"\0", at)]


class _Strings:
    """The string table while it grows."""

    def __init__(self) -> None:
        self.data = bytearray(b"\0")

    def add(self, text: bytes) -> int:
        at = len(self.data)
        self.data += text + b"\0"
        return at


@dataclass(slots=True)
class _Layout:
    """Pieces of the file one after another; offsets in the file and addresses are the same."""

    data: bytearray

    def append(self, piece: bytes, align: int = 8) -> int:
        self.data += bytes(-len(self.data) % align)
        at = len(self.data)
        self.data += piece
        return at


def shared_object(soname: bytes, functions: list[Function]) -> bytes:
    """An x86-64 shared object that defines each function as one that returns 1."""
    strings = _Strings()
    versions = sorted({f.version for f in functions if f.version})
    layout = _Layout(bytearray(64 + 4 * 56))  # the header and four program headers come last
    code = layout.append(RETURN_ONE, 16)
    symbols = layout.append(_symbol_table(functions, strings, code))
    indices = {version: at for at, version in enumerate(versions, start=2)}  # 1 is the file itself
    per_symbol = [0, *(indices.get(f.version, UNVERSIONED) for f in functions)]
    addresses = {
        14: strings.add(soname),  # DT_SONAME
        4: layout.append(_hash_table(len(functions))),  # DT_HASH
        6: symbols,  # DT_SYMTAB
        11: SYMBOL.size,  # DT_SYMENT
        0x6FFFFFF0: layout.append(struct.pack(f"<{len(per_symbol)}H", *per_symbol)),  # DT_VERSYM
        0x6FFFFFFC: layout.append(_version_table([soname, *versions], strings)),  # DT_VERDEF
        0x6FFFFFFD: len(versions) + 1,  # DT_VERDEFNUM
        10: len(strings.data),  # DT_STRSZ
        5: layout.append(bytes(strings.data)),  # DT_STRTAB
    }
    text_size = len(layout.data)
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in [*addresses.items(), (0, 0)])
    dynamic_at = layout.append(dynamic, PAGE)
    layout.data[: 64 + 4 * 56] = _headers(text_size, dynamic_at, len(dynamic))
    return bytes(layout.data)


def _symbol_table(functions: list[Function], strings: _Strings, code: int) -> bytes:
    rows = [bytes(SYMBOL.size)]
    for function in functions:
        name = strings.add(function.name)
        rows.append(SYMBOL.pack(name, GLOBAL_FUNCTION, 0, 1, code, len(RETURN_ONE)))
    return b"".join(rows)


def _hash_table(count: int) -> bytes:
    """The SysV table with one bucket: a few hundred names are walked once, at load."""
    chain = [0, *range(2, count + 1), 0]  # each symbol points at the next, the last at none
    return struct.pack(f"<III{count + 1}I", 1, count + 1, 1, *chain)


def _version_table(names: list[bytes], strings: _Strings) -> bytes:
    """Definitions of the versions; the first names the file."""
    rows = []
    for index, name in enumerate(names, start=1):
        following = 28 if index < len(names) else 0
        flags = 1 if index == 1 else 0  # VER_FLG_BASE
        rows.append(struct.pack("<HHHHIII", 1, flags, index, 1, _sysv_hash(name), 20, following))
        rows.append(struct.pack("<II", strings.add(name), 0))
    return b"".join(rows)


def _sysv_hash(name: bytes) -> int:
    value = 0
    for byte in name:
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ (high >> 24)) & ~high
    return value


def _headers(text_size: int, dynamic_at: int, dynamic_size: int) -> bytes:
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    # a shared object for x86-64, no entry point, program headers right behind, no sections
    header = ident + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 4, 64, 0, 0)
    read, write, execute = 4, 2, 1
    segments = [
        _segment(1, read | execute, 0, text_size, PAGE),  # PT_LOAD
        _segment(1, read | write, dynamic_at, dynamic_size, PAGE),  # the linker writes addresses there
        _segment(2, read | write, dynamic_at, dynamic_size, 8),  # PT_DYNAMIC
        _segment(0x6474E551, read | write, 0, 0, 16),  # PT_GNU_STACK: no executable stack
    ]
    return header + b"".join(segments)


def _segment(kind: int, flags: int, at: int, size: int, align: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, flags, at, at, at, size, size, align)
