import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.records.scan import Scanner

NUMBERS = st.integers(0, 2**63 - 1)


@given(st.lists(st.tuples(NUMBERS, st.text("abc é€", max_size=12)), min_size=1))
def test_it_reads_what_python_reads(lines):
    data = "".join(f"{text}:{number},\n" for text, number in [(t, n) for n, t in lines]).encode()
    scanner = Scanner(data)
    colon = scanner.until(scanner.starts, b":")
    number, after = scanner.digits(colon + 1)
    assert number.tolist() == [n for n, _ in lines]
    assert scanner.is_at(after, b",\n").all()
    assert scanner.texts(scanner.starts, colon).to_pylist() == [t for _, t in lines]
    assert scanner.ends.tolist() == (after + 1).tolist()


@pytest.mark.parametrize("number", [2**63, 10**19 - 1, 2**64 + 5, 10**23, 10**24 - 1])
def test_a_number_of_more_than_64_bits_is_none(number):
    found, _ = Scanner(f"{number},\n".encode()).digits(np.array([0]))
    assert found.tolist() == [-1]


def test_a_number_with_zeros_before_it_is_none():
    found, _ = Scanner(b"007,\n0,\n70,\n").digits(np.array([0, 5, 8]))
    assert found.tolist() == [-1, 0, 70]


def test_a_line_with_an_escape_or_a_control_character_is_not_plain():
    assert Scanner(b'"a"\n"\\n"\n\n"\x01"\n"b').are_plain().tolist() == [
        True,
        False,
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("text", ["", "x", "-1", " 1", "é1"])
def test_no_number_is_minus_one_and_moves_nothing(text):
    scanner = Scanner(f"{text}\n".encode())
    number, after = scanner.digits(scanner.starts)
    assert number.tolist() == [-1]
    assert after.tolist() == [0]


@pytest.mark.parametrize("text", [b"ab", b"abcdefgh", b"abcdefghij", b"x" * 90])
def test_texts_of_any_length_are_compared_to_their_last_byte(text):
    scanner = Scanner(text + b"\n" + text[:-1] + b"?\n" + b"?" + text[1:] + b"\n" + text)
    assert scanner.is_at(scanner.starts, text).tolist() == [True, False, False, True]


def test_choices_and_a_position_beyond_the_end():
    scanner = Scanner(b'load"\ntrain"\nloa')
    code, after = scanner.choice(scanner.starts, ("train", "load"), b'"')
    assert code.tolist() == [1, 0, -1]
    assert after.tolist() == [5, 12, 13]
    assert not scanner.is_at(np.array([10**9]), b"l").any()
