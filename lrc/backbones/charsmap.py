"""Writes a SentencePiece compiled character map, which `tokenizers` reads as `Precompiled`.

The layout is that of SentencePiece: the byte length of a double-array trie (u32), the trie's units (u32
each, in the format of Darts-clone), then the NUL-terminated replacements that the trie's values point at.
"""

import struct
from collections.abc import Mapping

_LEAF = 1 << 8
# Units hold offsets of up to 21 bits directly; maps of one code point each stay far below.
_MAX_OFFSET = 1 << 21

_Trie = dict[int, "_Trie | int"]


def build_charsmap(mapping: Mapping[str, str]) -> bytes:
    """Compiles a map.

    Args:
        mapping: For each source text its replacement. Neither may hold NUL.

    Returns:
        The compiled map.
    """
    root: _Trie = {}
    blob = bytearray()
    for source, target in sorted(mapping.items()):
        node = root
        for byte in source.encode():
            child = node.setdefault(byte, {})
            assert isinstance(child, dict)  # only the key 0 holds a number
            node = child
        node[0] = len(blob)
        blob += target.encode() + b"\0"
    units = _double_array(root)
    trie = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(trie)) + trie + bytes(blob)


def _double_array(root: _Trie) -> list[int]:
    units: dict[int, int] = {0: 0}
    used = {0}
    bases: set[int] = set()
    pending: list[tuple[int, _Trie]] = [(0, root)]
    first_free = 1
    while pending:
        position, node = pending.pop()
        while first_free in used:
            first_free += 1
        base = first_free
        # A unit knows its own label but not its parent: that no two nodes share a base is what tells whose it is.
        while base in bases or base ^ position >= _MAX_OFFSET or any(base ^ label in used for label in node):
            base += 1
        bases.add(base)
        units[position] |= (base ^ position) << 10 | (_LEAF if 0 in node else 0)
        for label, child in node.items():
            place = base ^ label
            used.add(place)
            if isinstance(child, dict):
                units[place] = label
                pending.append((place, child))
            else:
                units[place] = child | 1 << 31
    size = (max(units) | 255) + 1  # a reader may step onto any sibling before it compares labels
    return [units.get(index, 0) for index in range(size)]
