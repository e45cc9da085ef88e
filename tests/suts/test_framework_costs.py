"""The table of what a framework costs: its arithmetic, and that the docs have it for each SUT."""

import importlib
import json
import tomllib
from pathlib import Path

import pytest

from trialwatt import suts

ROOT = Path(__file__).parents[2]


@pytest.fixture
def frameworks(monkeypatch):
    """The module benchmarks/frameworks.py."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("frameworks")


def lines(path: Path, *events: dict) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(event) + "\n" for event in events))


def trial(number: int, begins_s: float, **start) -> list[dict]:
    """A trial of 4 s, of which it trains for 1 s."""
    own = {"kind": "trial", "trial": f"worker-{number}/0"}
    moments = [
        (0, {"status": "start", "step": "import"} | start),
        (2, {"status": "step", "step": "train"}),
        (3, {"status": "step", "step": "validate"}),
        (4, {"status": "end", "outcome": "completed"}),
    ]
    return [own | {"m": int((begins_s + at) * 1e9)} | event for at, event in moments]


def test_the_overhead_is_the_workers_time_without_the_trials_own(frameworks, tmp_path):
    steps = [("deploy", 0, 7), ("setup", 7, 7.5), ("trials", 7.5, 13.5)]
    lines(
        tmp_path / "records" / "harness.jsonl",
        *(
            {"kind": "step", "step": step, "status": status, "m": int(at * 1e9)}
            for step, *both in steps
            for status, at in zip(("start", "end"), both, strict=True)
        ),
    )
    for number in (0, 1):
        lines(tmp_path / "records" / f"worker-{number}.jsonl", *trial(number, 8 + number))
    cost = frameworks.cost(tmp_path, 2)
    assert (cost.deploy_s, cost.setup_s) == (7.0, 0.5)
    assert cost.overhead_ms == 5000.0  # (6 s × 2 workers - 2 × 1 s) / 2 trials
    assert cost.process_per_trial
    lines(tmp_path / "records" / "worker-1.jsonl", *trial(1, 9, cpu_ns=5))
    assert not frameworks.cost(tmp_path, 2).process_per_trial
    with pytest.raises(RuntimeError, match="2 of 3 trials completed"):
        frameworks.cost(tmp_path, 3)


def test_the_table_in_the_docs_has_every_sut_of_this_package(frameworks):
    text = (ROOT / "docs" / "suts.md").read_text(encoding="utf-8")
    table = text.partition(frameworks.BEGIN)[2].partition(frameworks.END)[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")]
    named = [row[0].removeprefix("| ") for row in rows[1:]]
    message = "run `python benchmarks/frameworks.py --write docs/suts.md`"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    locked = [name for name in suts.names(own=True) if name not in extras]
    assert sorted(named) == locked, message
