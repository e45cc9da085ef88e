"""Values of any type anywhere in the files of a run give problems in words, never a traceback."""

import copy
import json
import random
import shutil

import pytest
from tests.review.forging import Forged

from trialwatt.review import plausible
from trialwatt.review.plausible import check_plausible
from trialwatt.review.structure import Problem
from trialwatt.review.tree import Tree

VALUES = (
    *(None, True, False, 0, -1, 1, 3, 2**31, 2**53 + 1, 2**63, -(2**63), 2**70, 10**400),
    *(0.5, -0.5, 1e308, float("nan"), float("inf"), float("-inf")),
    *("", "x", "cpu", "../../x", "\x1b[2J\n", "0", "completed", "y" * 5000),
    *([], {}, [None], [[]], ["cpu"], {"": None}, {"cpu": "x"}, [1] * 50),
)
CELLS = ("", "-1", "nan", "inf", "1e400", "x", "9" * 19, "9" * 400, "1.5", '"', "\x1b", "0", "é")


def places(value, found=()):
    """(container, key) of everything in JSON."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inner:
        yield value, key
        if isinstance(one, dict | list):
            yield from places(one)


def mutated_json(rng, content):
    for _ in range(rng.choice((1, 1, 2, 5))):
        container, key = rng.choice(list(places(content)))
        if rng.random() < 0.2:
            del container[key]
        else:
            container[key] = copy.deepcopy(rng.choice(VALUES))  # it may be changed next
        if not content:
            break
    return json.dumps(content)


def mutated_lines(rng, text):
    lines = text.splitlines()
    for _ in range(rng.choice((1, 2, 10))):
        at = rng.randrange(len(lines))
        lines[at] = mutated_json(rng, json.loads(text.splitlines()[at]))
    return "\n".join(lines) + "\n"


def mutated_rows(rng, text):
    lines = [line.split(",") for line in text.splitlines()]
    for _ in range(rng.choice((1, 2, 10))):
        row = lines[rng.randrange(len(lines)) if rng.random() < 0.9 else 0]
        row[rng.randrange(len(row))] = rng.choice(CELLS)
    return "\n".join(",".join(line) for line in lines) + "\n"


def mutated(rng, name, text):
    if rng.random() < 0.05:
        at = rng.randrange(len(text))
        return text[:at] + rng.choice(("\x00", "", "[" * 9999, "{")) + text[at + 1 :]
    if name.endswith(".json"):
        return mutated_json(rng, json.loads(text))
    return (mutated_lines if name.endswith(".jsonl") else mutated_rows)(rng, text)


@pytest.fixture
def files(project, tmp_path, monkeypatch):
    """One run alone; the files of it and of its testbed, run.json more often than others."""
    forged = Forged(project, tmp_path)
    own = forged.run.relative_to(forged.results).as_posix()
    monkeypatch.setattr(plausible, "run_folders", lambda tree: {"alone": [own]})
    records = [f"{own}/records/{name}.jsonl" for name in ("harness", "worker-0")]
    samples = [f"{own}/samples/{name}.csv" for name in ("usage", "power-model")]
    return forged, [*[f"{own}/run.json"] * 3, *records, *samples, "testbeds/lab.json"]


@pytest.mark.parametrize("count", [100, pytest.param(3000, marks=pytest.mark.slow)])
def test_wrong_values_give_problems(files, count):
    forged, names = files
    tree = Tree(forged.root, forged.results, is_archive=False)
    assert list(check_plausible(tree)) == []
    rng, found = random.Random(20261129), 0
    for number in range(count):
        name = rng.choice(names)
        file = forged.results / name
        intact = file.read_bytes()
        file.write_text(mutated(rng, name, intact.decode()))
        try:
            problems = list(check_plausible(tree))
        except Exception as error:
            kept = forged.root / f"found-{number}"
            shutil.copy(file, kept)
            raise AssertionError(f"mutation {number} of {name} ({kept}): {error!r}") from error
        assert all(isinstance(one, Problem) and one.said.isprintable() for one in problems)
        assert all(len(one.said) < 500 for one in problems)
        found += bool(problems)
        file.write_bytes(intact)
    assert found > count / 2
