"""The driver finds what it is there to find."""

import json
import random

from tests.fuzz import fuzz, mutations


def test_the_same_seed_gives_the_same_inputs():
    one, other = ([mutations(b"x" * 50, random.Random(n)) for n in range(50)] for _ in range(2))
    assert one == other and len(set(one)) > 25


def test_an_error_that_is_not_a_refusal_is_unclean_and_told_with_its_bytes():
    def parse(data: bytes) -> None:
        json.loads(data)["one of many letters"]

    outcome = fuzz({"small": b'{"one of many letters": 1}'}, parse, ValueError, inputs=300)
    assert outcome.inputs == 301 and outcome.refused > 100
    assert any("KeyError" in line and "many" in line for line in outcome.unclean)


def test_one_that_takes_for_ever_is_unclean():
    def parse(data: bytes) -> None:
        while True:
            try:
                sum(range(1000))
            except Exception:
                continue

    outcome = fuzz({"small": b"x"}, parse, ValueError, inputs=0, most_s=0.05)
    assert len(outcome.unclean) == 1 and "TooSlow" in outcome.unclean[0]


def test_a_refusal_without_a_sentence_is_unclean():
    def parse(data: bytes) -> None:
        raise ValueError

    assert "without a sentence" in fuzz({"x": b"x"}, parse, ValueError, inputs=0).unclean[0]
