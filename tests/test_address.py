"""Addresses of both families, with a port and apart from it."""

import pytest

from trialwatt.address import bracketed, joined, parted
from trialwatt.platforms.base import replaced


@pytest.mark.parametrize(
    ("host", "text"), [("10.0.0.7", "10.0.0.7:80"), ("fd00::7", "[fd00::7]:80"), ("h", "h:80")]
)
def test_a_host_and_a_port_are_one_text_and_two_things_again(host, text):
    assert joined(host, 80) == text
    assert parted(text) == (host, 80)
    assert bracketed(bracketed(host)) == bracketed(host)


def test_without_a_port_there_is_nothing_to_part():
    with pytest.raises(ValueError, match="invalid literal"):
        parted("fd00::x")


def test_a_token_is_an_address_with_brackets_where_a_port_follows():
    text = "http://@host:head@:80 --host @host@ spark://@host@:7077"
    assert replaced(text, "fd00::1", {"head": "fd00::2"}, None) == (
        "http://[fd00::2]:80 --host fd00::1 spark://[fd00::1]:7077"
    )
    assert replaced(text, "10.0.0.1", {"head": "10.0.0.2"}, None) == (
        "http://10.0.0.2:80 --host 10.0.0.1 spark://10.0.0.1:7077"
    )
