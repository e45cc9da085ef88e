import json
import random
from pathlib import Path

import pytest
from tests.fuzz import all_clean, mutations

from trialwatt.provenance.jsontext import parse_json


@pytest.mark.parametrize("value", [None, 1.5, "é\0", [1, {"a": [True]}], -(2**63), 2**63 - 1])
def test_what_we_write_is_read(value):
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 101 + "]" * 101, "nested deeper than 100 levels"),
        ("[" * 100_000, "nested deeper than 100 levels"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' stands twice in one object"),
        (str(2**63), "a whole number of 19 digits; 64 bits must do"),
        ("9" * 5000, "a whole number of 5000 digits; 64 bits must do"),
        ('"\\ud800"', "half a character"),
        ('{"\\uDC00": 1}', "half a character"),
        (b"\xff", "can't decode"),
        ("", "Expecting value"),
    ],
)
def test_what_no_file_of_ours_holds_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        parse_json(text)


def test_levels_side_by_side_are_not_deep():
    assert len(parse_json("[" + ",".join(["[[]]"] * 500) + "]")) == 500


@pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_damaged_json_is_refused_with_a_value_error(count):
    rng = random.Random(count)
    file = Path(__file__).parents[2] / "config/goals/mnist.json"
    seeds = [file.read_bytes()[:2000], json.dumps({"a": [1, 2.5, {"é": "\ud83d\ude00"}]}).encode()]
    all_clean((mutations(rng.choice(seeds), rng) for _ in range(count)), parse_json, (ValueError,))
