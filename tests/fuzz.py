"""Seeded damage to files, for the tests that feed parsers with what nobody meant to write."""

import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path

NASTY = (
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\t", b"\xc3(", b"1e400", b"-1", b"NaN", b"null",
    b"9" * 25, b"9" * 5000, b"[" * 300, b'{"a":' * 300, b"&a [*a]", b"*a", b"<<: ", b"!!python/x ",
    b"!!float ", b"!!int ", b'"\\ud800"', b"../", b"\x1b[2J", b"true", b'""', b"{}", b"[]", b",,",
)  # fmt: skip


def mutations(data: bytes, rng: random.Random) -> bytes:
    """`data` with one to four changes: bytes flipped, cut out, doubled, moved, or nasty ones put
    in, or the file cut off."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(found) + 1)
        to = min(len(found), at + rng.choice((1, 1, 4, 16, 200)))
        match rng.randrange(7):
            case 0 if at < len(found):
                found[at] ^= 1 << rng.randrange(8)
            case 1:
                del found[at:to]
            case 2:
                found[at:at] = found[at:to]
            case 3:
                found[at:at] = rng.choice(NASTY)
            case 4:
                found[at:to] = rng.choice(NASTY)
            case 5 if len(found) > 1:
                other = rng.randrange(len(found))
                found[at:at] = found[other : other + to - at]
            case 6 if rng.random() < 0.3:
                del found[at:]
    return bytes(found)


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
