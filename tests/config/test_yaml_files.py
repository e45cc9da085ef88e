import math
import os
import random
import time
from pathlib import Path

import pytest
from tests.fuzz import all_clean, corpus, mutations

from trialwatt.config.loading import Problems, validated
from trialwatt.config.models import Testbed, WorkloadFile
from trialwatt.config.origins import Origins
from trialwatt.config.settings import settle
from trialwatt.config.tables import CarbonTable, PowerTable, PriceTable
from trialwatt.config.yaml_files import MOST_BYTES, parse_yaml, read_yaml

SHIPPED = Path(__file__).parents[2] / "config"


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-4", 1e-4), ("1E5", 1e5), ("-2.5e+3", -2500.0), ("1.", 1.0), (".5", 0.5),
     ("12", 12), ("-3", -3), ("010", 10), ("true", True), ("False", False), ("null", None),
     ("~", None), (".inf", math.inf), ("off", "off"), ("yes", "yes"), ("No", "No"),
     ("1:30", "1:30"), ("1_000", "1_000"), ("2026-01-31", "2026-01-31"), ("'1e-4'", "1e-4"),
     ("gcp-n2", "gcp-n2"), ("1e", "1e"), ("e5", "e5"), (".", "."), ("-", [None])],
)  # fmt: skip
def test_scalars_are_those_of_yaml_12(text, value):
    found, problems = parse_yaml(text if text == "-" else f"x: {text}", "f")
    assert problems == []
    found = found if text == "-" else found["x"]
    assert found == value
    assert type(found) is type(value)


def test_an_anchor_that_is_used_twice_is_no_duplicate():
    found, problems = parse_yaml("a: &x {k: 1}\nb: *x\nc: *x\n", "f")
    assert problems == []
    assert found["b"] == found["c"] == {"k": 1}


def test_each_duplicate_is_found_with_its_path_and_line():
    text = "a: 1\nb:\n  - c: 1\n    c: 2\na: 3\n'a': 4\n"
    _, problems = parse_yaml(text, "f.yaml")
    assert [str(problem).split(":")[:3] for problem in problems] == [
        ["f.yaml", " b[0].c", " line 4"],
        ["f.yaml", " a", " line 5"],
        ["f.yaml", " a", " line 6"],
    ]


def test_a_folder_is_not_a_file(tmp_path):
    data, problems = read_yaml(tmp_path, "config")
    assert data is None
    assert str(problems[0]) == "config: cannot be read: Is a directory"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: \0", "line 2: not valid YAML: may not hold U+0000"),
        ('a: "\\0"', "line 1: not valid YAML: a text may not hold U+0000"),
        ('a: 1\nb: "\\udc00"', "line 2: not valid YAML: a text may not hold U+DC00"),
        ("a: " + "9" * 19, f"line 1: not valid YAML: '{'9' * 19}' has more than 18 digits"),
        ("a: !!float ''", "line 1: not valid YAML: '' is no number"),
        ("a: !!int 1.5", "line 1: not valid YAML: '1.5' is no whole number"),
        ("a: !!bool on", "line 1: not valid YAML: 'on' is neither true nor false"),
        ("a: 1\nb: &b [*b]", "line 2: not valid YAML: an anchor that holds itself"),
        ("a: " + "[" * 51 + "]" * 51, "line 1: not valid YAML: nested deeper than 50 levels"),
        ("a: [" + "1," * 20_000 + "]", "line 1: not valid YAML: it holds more than 20,000 values"),
    ],
)
def test_what_no_configuration_can_mean_is_said_with_its_line(text, said):
    found, problems = parse_yaml(text, "f.yaml")
    assert found is None
    assert [str(problem) for problem in problems] == [f"f.yaml: {said}"]


@pytest.mark.parametrize("merge", ["", "<<: ", "!!merge <<: "])
def test_anchors_in_anchors_cost_no_time(merge):
    def level(number: int) -> str:
        inside = "[" + ",".join([f"*a{number - 1}"] * 9) + "]"
        return f"a{number}: &a{number} " + (f"{{{merge}{inside}}}" if merge else inside)

    text = "\n".join(["a0: &a0 {k: 1}", *(level(number) for number in range(1, 9))])
    assert len(text) < 500
    began = time.process_time()
    _, problems = parse_yaml(text, "f")
    assert "with its anchors written out, it holds over 20,000 values" in str(problems[0])
    assert time.process_time() - began < 1


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "f")
    assert [str(p) for p in read_yaml(tmp_path / "f", "f")[1]] == [
        "f: cannot be read: It is no plain file"
    ]


def test_a_file_of_megabytes_is_no_configuration(tmp_path):
    (tmp_path / "f").write_bytes(b"#" * (MOST_BYTES + 1))
    _, problems = read_yaml(tmp_path / "f", "f")
    assert str(problems[0]) == "f: cannot be read: It has more than 1,048,576 bytes"


def read_and_validate(tmp_path, data: bytes) -> None:
    """As the planner: our reading, the models of all kinds of files, and Snakemake's reading."""
    file = tmp_path / "f.yaml"
    file.write_bytes(data)
    found, problems = read_yaml(file, "f.yaml")
    assert found is not None or problems
    said = Problems()
    said.add(*problems)
    for kind in (WorkloadFile, Testbed, CarbonTable, PriceTable, PowerTable):
        validated(kind, found or {}, Origins("f.yaml"), said)
    settle(found or {}, [file], tmp_path, said)
    for problem in said:
        str(problem).encode()


@pytest.mark.parametrize("count", [100, pytest.param(4_000, marks=pytest.mark.slow)])
def test_damaged_files_are_refused_in_words(tmp_path, count):
    rng = random.Random(count)
    kept = corpus(__file__, "yaml")
    seeds = [*kept, *(file.read_bytes() for file in sorted(SHIPPED.rglob("*.yaml")))]
    damaged = (mutations(rng.choice(seeds), rng) for _ in range(count))
    all_clean([*kept, *damaged], lambda data: read_and_validate(tmp_path, data), ())
