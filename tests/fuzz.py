"""Damaged and hostile input for what reads a stranger's files: mutations of a kept corpus.

The same seed gives the same inputs, so a fault that is found once is found again: its number and
its bytes stand in what the driver says.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
_MOST_CHANGES = 4
_LONGEST_REPEAT = 2_000


NASTY = (
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\t", b"\xc3(", b"1e400", b"-1", b"NaN", b"null",
    b"9" * 25, b"9" * 5000, b"[" * 300, b'{"a":' * 300, b"&a [*a]", b"*a", b"<<: ", b"!!python/x ",
    b"!!float ", b"!!int ", b'"\\ud800"', b"../", b"\x1b[2J", b"true", b'""', b"{}", b"[]", b",,",
)  # fmt: skip
"""Bytes that parsers of text heed, or trip over."""


class TooSlow(BaseException):
    """An input took more processor time than any may. Not an Exception: nobody catches it."""


@dataclass
class Outcome:
    """inputs: how many were tried. refused: how many of them with an error that is meant for it.
    unclean: what was none of that, a line each. slowest_s: processor time of the slowest."""

    inputs: int = 0
    refused: int = 0
    unclean: list[str] = field(default_factory=list)
    slowest_s: float = 0.0


def mutations(
    seed: bytes,
    rng: random.Random,
    tokens: Sequence[bytes] = NASTY,
    special: Callable[[bytearray, random.Random], None] | None = None,
) -> bytes:
    """One to four random changes of `seed`: flipped bits, cuts, insertions, swaps, repetitions,
    numbers set to extremes. tokens: what the format's parser heeds, inserted too. special: a
    change of the format's own, in place, that is chosen as often as the others."""
    data = bytearray(seed)
    kinds = [_flip, _cut_off, _remove, _insert, _swap, _repeat, _extreme]
    if tokens:
        kinds.append(lambda data, rng: _put(data, rng, rng.choice(tokens)))
    if special:
        kinds += [special] * 3
    for _ in range(rng.randint(1, _MOST_CHANGES)):
        rng.choice(kinds)(data, rng)
    return bytes(data)


def fuzz(
    corpus: Mapping[str, bytes],
    attempt: Callable[[bytes], object],
    refusals: type[Exception] | tuple[type[Exception], ...],
    inputs: int,
    seed: int = 0,
    most_s: float = 5.0,
    **how,
) -> Outcome:
    """Try the corpus itself and `inputs` mutations of it.

    attempt: reads an input; it may succeed or raise one of `refusals` with a sentence. Whatever
    else it raises, or more than `most_s` seconds of processor time, is unclean. how: keywords of
    `mutations`.
    """
    outcome, rng = Outcome(), random.Random(seed)
    names = sorted(corpus)
    tried = [(name, corpus[name]) for name in names]
    for number in range(-len(tried), inputs):
        if number < 0:
            name, data = tried[number]
        else:
            name = rng.choice(names)
            data = mutations(corpus[name], rng, **how)
        _try(outcome, f"input {number} (of {name}, seed {seed})", data, attempt, refusals, most_s)
    return outcome


def _try(outcome, label, data, attempt, refusals, most_s) -> None:
    outcome.inputs += 1
    began = time.process_time()
    try:
        with at_most(most_s):
            attempt(data)
    except refusals as error:
        outcome.refused += 1
        if not str(error).strip():
            outcome.unclean.append(f"{label}: {type(error).__name__} without a sentence: {data!r}")
    except (Exception, TooSlow) as error:
        outcome.unclean.append(f"{label}: {error!r}: {data[:4_000]!r}")
    outcome.slowest_s = max(outcome.slowest_s, time.process_time() - began)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise TooSlow when what is inside has taken so much of the processor (not of the clock)."""

    def stop(number, frame):
        raise TooSlow(f"more than {seconds} s of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


# --- single changes, in place -----------------------------------------------------------------


def _at(data: bytearray, rng: random.Random) -> int:
    return rng.randrange(len(data) + 1)


def _span(data: bytearray, rng: random.Random) -> slice:
    start = _at(data, rng)
    return slice(start, start + rng.choice((1, 2, 4, 8, 40, 400)))


def _flip(data: bytearray, rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _cut_off(data: bytearray, rng: random.Random) -> None:
    del data[_at(data, rng) :]


def _remove(data: bytearray, rng: random.Random) -> None:
    del data[_span(data, rng)]


def _insert(data: bytearray, rng: random.Random) -> None:
    _put(data, rng, rng.randbytes(rng.choice((1, 2, 4, 40))))


def _put(data: bytearray, rng: random.Random, piece: bytes) -> None:
    start = _at(data, rng)
    data[start : start + rng.choice((0, len(piece)))] = piece


def _swap(data: bytearray, rng: random.Random) -> None:
    one, other = _span(data, rng), _span(data, rng)
    data[one], data[other] = data[other], data[one]


def _repeat(data: bytearray, rng: random.Random) -> None:
    span = _span(data, rng)
    piece = bytes(data[span])
    if piece:
        times = rng.choice((1, 2, _LONGEST_REPEAT // len(piece)))
        data[span.start : span.start] = piece * times


def _extreme(data: bytearray, rng: random.Random) -> None:
    width = rng.choice((1, 2, 4, 8))
    value = rng.choice(_EXTREMES) & ((1 << 8 * width) - 1)
    start = _at(data, rng)
    data[start : start + width] = value.to_bytes(width, rng.choice(("little", "big")))


WRONG = (
    None, True, False, 0, -1, 5, 2**63, -(2**63) - 1, 10**400, 0.5, -1e308, float("inf"),
    float("nan"), "", "x", "\0", "\ud800", "../../x", "x" * 5000, [], [1], [[]], {}, {"a": 3},
    {"": None}, [None], {"a": {"a": {"a": []}}},
)  # fmt: skip


def wrong_json(value: object, rng: random.Random) -> object:
    """`value`, of JSON, with one to three of its parts replaced by what they cannot be, or gone."""
    for _ in range(rng.randint(1, 3)):
        value = _with_one_wrong(value, rng)
    return value


def _with_one_wrong(value: object, rng: random.Random) -> object:
    inside = isinstance(value, dict | list) and value and rng.random() < 0.85
    if not inside:
        return rng.choice(WRONG)
    if isinstance(value, dict):
        key, changed = rng.choice(list(value)), dict(value)
        if rng.random() < 0.1:
            del changed[key]
        else:
            changed[key] = _with_one_wrong(changed[key], rng)
        return changed
    at, changed = rng.randrange(len(value)), list(value)
    if rng.random() < 0.1:
        del changed[at]
    else:
        changed[at] = _with_one_wrong(changed[at], rng)
    return changed


def all_clean(
    inputs: Iterable[bytes],
    parse: Callable[[bytes], object],
    clean: tuple[type[Exception], ...],
    seconds: float = 5.0,
) -> int:
    """Parse each input: it may be refused with an error of `clean`, in time, and by nothing else.

    Returns how many were refused. The failing input is in the message, to be kept in a corpus.
    """
    refused = 0
    for data in inputs:
        began = time.process_time()
        try:
            parse(data)
        except clean as error:
            refused += 1
            str(error).encode()  # a terminal must be able to take it
        except Exception as error:
            raise AssertionError(f"{error!r} of {data[:3000]!r}") from error
        spent = time.process_time() - began
        assert spent < seconds, f"took {spent:.1f} s of CPU: {data[:3000]!r}"
    return refused


def corpus(test: str, kind: str) -> list[bytes]:
    """The inputs that once broke a parser, or could: corpus/<kind>/ beside the test's file."""
    files = sorted((Path(test).parent / "corpus" / kind).iterdir())
    assert files, f"no corpus of {kind}"
    return [file.read_bytes() for file in files]
