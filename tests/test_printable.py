from hypothesis import given
from hypothesis import strategies as st

from trialwatt.printable import MOST_LETTERS, printable, shown


def test_what_steers_a_terminal_is_visible():
    assert shown("\x1b[2Ja\r\nb\u202e") == "\\x1b[2Ja\\r\\nb\\u202e"
    assert shown("\udc80") == "\\udc80"
    assert shown(ValueError("größer\x9b")) == "größer\\x9b"


def test_a_line_of_a_stranger_is_no_line_of_ours():
    assert printable(["a\nVerified.", "b"]) == "a\\nVerified.\nb"


def test_length_is_bounded_and_says_so():
    assert shown("x" * 10, most=4) == "xxxx… (6 more letters)"
    assert len(shown("\x1b" * 10**6)) < 5 * MOST_LETTERS


@given(st.text())
def test_nothing_that_is_not_printable_passes(text):
    assert shown(text).isprintable()
