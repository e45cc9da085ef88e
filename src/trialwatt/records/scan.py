"""Many lines of one known shape, read with a vectorised cursor: no Python code per line.

Each operation looks at the bytes at a position of every line at once, eight at a time as one
64-bit word. Positions of lines that do not have the shape run astray, harmlessly: their results
are only ever used together with the mask that says so.

Arrow's reader of JSON needs as long for the grammar alone as this for all, and twice as long for
the columns: a run of a million trials would no longer be read within its limit.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

_WORD = 8
_PAD = 512
_ZEROS = np.uint64(0x3030303030303030)
_MOST_DIGITS = 19  # of an int64
_ROUNDS = 3  # words that hold the digits of an int64
_POWERS = np.array([10**i for i in range(_WORD + 1)], np.int64)


class Scanner:
    """The bytes of some whole lines. starts, ends: (n,) bounds of each line, newline excluded."""

    def __init__(self, data: bytes):
        self._bytes = np.frombuffer(data + b"\0" * _PAD, np.uint8)
        self._size = len(data)
        # A string of eight bytes at every position, without a copy.
        self._words = np.ndarray((self._size + _PAD - _WORD,), "S8", self._bytes, strides=(1,))
        ends = np.flatnonzero(self._bytes[: self._size] == ord("\n"))
        self.ends = ends if data.endswith(b"\n") else np.append(ends, self._size)
        self.starts = np.concatenate([[0], self.ends[:-1] + 1])

    def line(self, number: int) -> bytes:
        return self._bytes[self.starts[number] : self.ends[number]].tobytes()

    def are_plain(self) -> np.ndarray:
        """Which lines (n,) have no escape and no control character, which is none of JSON."""
        odd = self._bytes[: self._size] < ord(" ")
        odd[self.ends[self.ends < self._size]] = False
        odd |= self._bytes[: self._size] == ord("\\")
        plain = np.ones(len(self.ends), bool)
        plain[np.searchsorted(self.ends, np.flatnonzero(odd))] = False
        return plain

    def is_at(self, at: np.ndarray, text: bytes) -> np.ndarray:
        """Which positions (n,) have this text; none where it is so long that no line of ours has
        it."""
        if len(text) > _PAD - _WORD:
            return np.zeros(len(at), bool)
        at = np.minimum(at, self._size)
        if len(text) < _WORD:
            mask = np.uint64((1 << 8 * len(text)) - 1)
            return (self._word(at) & mask) == _as_word(text)
        same = np.ones(len(at), bool)
        for offset in (*range(0, len(text) - _WORD, _WORD), len(text) - _WORD):
            same &= self._word(at + offset) == _as_word(text[offset : offset + _WORD])
        return same

    def digits(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The whole numbers at positions (n,), int64, and what follows; −1 where there is none, one
        with zeros before it, or a greater one."""
        value, after = np.zeros(len(at), np.int64), np.minimum(at, self._size)
        begin, going = after, None
        for _ in range(_ROUNDS):
            part, count = _leading_digits(self._word(after))
            if going is not None:
                part, count = part * going, count * going
            value = value * _POWERS[count] + part
            after = after + count
            going = count == _WORD
            if not going.any():
                break
        padded = (self._bytes[begin] == ord("0")) & (after - begin > 1)
        value[(after == begin) | (after - begin > _MOST_DIGITS) | padded] = -1
        value[value < 0] = -1  # more than 63 bits
        return value, after

    def until(self, at: np.ndarray, byte: bytes) -> np.ndarray:
        """The next such byte in each line, from each position on (or the end of all)."""
        found = np.minimum(at, self._size)
        going = np.arange(len(at))
        while len(going):
            here = found[going]
            going = going[(self._bytes[here] != byte[0]) & (here < self._size)]
            found[going] += 1
        return found

    def choice(
        self, at: np.ndarray, names: tuple[str, ...], ends_with: bytes
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which of the names stands at each position (int8, −1: none), and what follows."""
        code, after = np.full(len(at), -1, np.int8), at.copy()
        for index, name in enumerate(names):
            text = name.encode() + ends_with
            here = self.is_at(at, text)
            code[here] = index
            after[here] += len(text)
        return code, after

    def texts(self, starts: np.ndarray, ends: np.ndarray) -> pa.Array:
        """The texts between positions, as an Arrow array of strings."""
        lengths = ends - starts
        offsets = np.zeros(len(starts) + 1, np.int32)
        np.cumsum(lengths, out=offsets[1:])
        where = np.arange(offsets[-1], dtype=np.int64)
        where += np.repeat(starts - offsets[:-1], lengths)
        found = self._bytes[where]
        return pa.StringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(found))

    def _word(self, at: np.ndarray) -> np.ndarray:
        return self._words[at].view("<u8")


def _as_word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


def _leading_digits(word: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Value and count (0 to 8) of the digits with which each word of eight bytes begins."""
    high = np.uint64(0xF0F0F0F0F0F0F0F0)
    digits = word ^ _ZEROS  # a digit becomes 0 to 9, every other byte more
    other = ((digits + np.uint64(0x0606060606060606)) | digits) & high
    lowest = other & (~other + np.uint64(1))
    count = np.where(other == 0, _WORD, np.bitwise_count(lowest - np.uint64(1)) >> 3)
    # Move the digits to the end of the word, so that zeros lead, and add them up pairwise.
    shift = (np.uint64(_WORD) - count.astype(np.uint64)) << np.uint64(3)
    v = np.where(count == 0, np.uint64(0), digits << np.minimum(shift, np.uint64(56)))
    v = v * np.uint64(10) + (v >> np.uint64(8))
    v = (v & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(100) + (
        (v >> np.uint64(16)) & np.uint64(0x00FF00FF00FF00FF)
    )
    v = (v & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(10000) + (
        (v >> np.uint64(32)) & np.uint64(0x0000FFFF0000FFFF)
    )
    return (v & np.uint64(0xFFFFFFFF)).astype(np.int64), count
