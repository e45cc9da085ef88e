import math

import pytest

from trialwatt.config.yaml_files import parse_yaml, read_yaml


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
