"""The methodology page: its worked example against the package, and against plain arithmetic."""

from __future__ import annotations

import ast
import csv
import dataclasses
import importlib
import json
import math
import operator
import re
from pathlib import Path

import numpy as np
import pytest
from tests import by_hand

from trialwatt.metrics.attribution import Curve, levelled
from trialwatt.metrics.context import MetricsContext, read_intensity
from trialwatt.metrics.extract import extract_run
from trialwatt.records.manifest import checksums

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "methodology.md").read_text(encoding="utf-8")
RECORD = DOCS / "example" / "worked"
UTC_NS, MONO_NS = 1767268800 * 10**9, 1000 * 10**9
J_PER_KWH = 3.6e6

CONTEXT = MetricsContext(
    price_per_cpu_h=0.036,
    price_per_gb_h=0.0036,
    currency="USD",
    price_date="2026-01-01",
    intensity=400.0,
    region="world",
    carbon_year=2023,
    pue=1.5,
)
SERIES = dataclasses.replace(CONTEXT, intensity=read_intensity(DOCS / "example" / "intensity.csv"))


# --- reading the page ---------------------------------------------------------------------------


def table(mark: str) -> list[list[str]]:
    """The rows of the table behind a comment of the page, without its head."""
    after = PAGE.split(f"<!-- {mark} -->", 1)[1].lstrip("\n")
    lines = after.split("\n\n", 1)[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def calculated(text: str) -> float:
    """What a pocket calculator says."""

    def value(node) -> float:
        if isinstance(node, ast.BinOp):
            return _OPERATORS[type(node.op)](value(node.left), value(node.right))
        assert isinstance(node, ast.Constant), text
        return node.value

    plain = text.replace("×", "*").replace("÷", "/").replace("−", "-")
    return value(ast.parse(plain, mode="eval").body)


def digits(value: str) -> float:
    """Half of the last place that is printed: how far a rounded number may be off."""
    _, _, decimals = value.partition(".")
    return 0.5 * 10 ** -len(decimals) if decimals else 0


def metrics_rows():
    for mark, context in (("metrics", CONTEXT), ("series", SERIES)):
        for label, column, calculation, value in table(mark):
            yield pytest.param(context, column.strip("`"), calculation, value, id=f"{mark}-{label}")


# --- the page against the package ---------------------------------------------------------------


@pytest.fixture(scope="module")
def extracted():
    return {id(context): extract_run(RECORD, context) for context in (CONTEXT, SERIES)}


@pytest.mark.parametrize(("context", "column", "calculation", "value"), list(metrics_rows()))
def test_each_metric_of_the_page(extracted, context, column, calculation, value):
    found = extracted[id(context)].run[column]
    assert calculated(calculation) == pytest.approx(found, rel=1e-9)
    assert float(value) == pytest.approx(found, rel=1e-12, abs=digits(value))


def test_the_energies_of_the_trials(extracted):
    trials = extracted[id(CONTEXT)].trials.set_index("trial")
    rows = table("energies")
    assert {name for name, _, _ in rows} == set(trials.index)
    for name, calculation, value in rows:
        found = trials.loc[name, "energy_kwh"] * J_PER_KWH
        assert found == pytest.approx(float(value), rel=1e-9)
        assert found == pytest.approx(calculated(calculation), rel=1e-9)


def test_the_samples_are_those_of_the_record():
    power = read(RECORD / "samples" / "power-prometheus.csv")
    usage = read(RECORD / "samples" / "usage.csv")
    names = ("machine", "worker-0", "worker-1", "harness")
    recorded = []
    for row in power:
        cpu = {u["component"]: int(u["cpu_ns"]) / 1e9 for u in usage if u["m"] == row["m"]}
        at = (int(row["m"]) - MONO_NS) / 1e9
        assert int(row["t"]) - UTC_NS == int(row["m"]) - MONO_NS
        recorded.append([at, int(row["package"]) / 1e6, *(cpu[name] for name in names)])
    assert [[float(cell) for cell in row] for row in table("samples")] == recorded


def test_the_trials_are_those_of_the_record():
    found = []
    for name in ("worker-0", "worker-1"):
        events = [event for event in jsonl(RECORD / "records" / f"{name}.jsonl")]
        for trial in dict.fromkeys(e["trial"] for e in events if "trial" in e):
            own = [e for e in events if e.get("trial") == trial and e["kind"] == "trial"]
            start, train, validate, end = own
            times = [(e["m"] - MONO_NS) / 1e9 for e in (start, train, validate, end)]
            score = end["scores"]["macro_f1"]
            found.append([trial, *times, start["phi"]["lr"], end["outcome"], end["epochs"], score])
    rows = [[row[0], *map(float, row[1:6]), row[6], int(row[7]), float(row[8])] for row in
            table("trials")]  # fmt: skip
    assert rows == found


def test_every_sentence_with_a_number_of_the_example_holds(extracted):
    """Numbers in running text: the parts, their sum, what is other."""
    run = extracted[id(CONTEXT)].run
    text = PAGE.split("## A worked example", 1)[1]
    said = re.search(r"Together ([\d,]+) \+ ([\d,]+) \+ ([\d,]+) = ([\d,]+) J", text)
    trials, idle, harness, job = (float(part.replace(",", "")) for part in said.groups())
    assert trials == pytest.approx(run["trials_energy_kwh"] * J_PER_KWH)
    assert idle == pytest.approx(run["idle_energy_kwh"] * J_PER_KWH)
    assert harness == pytest.approx(run["harness_energy_kwh"] * J_PER_KWH)
    assert job == pytest.approx(run["job_energy_kwh"] * J_PER_KWH)
    said = re.search(r"The machine drew ([\d,]+) J, so ([\d,]+) J are other", text)
    machine, other = (float(part.replace(",", "")) for part in said.groups())
    assert machine - job == other == pytest.approx(run["other_energy_kwh"] * J_PER_KWH)
    assert run["flags"] == "fewer than 60 samples" and run["samples"] == 11
    assert (run["energy_method"], run["energy_meter"]) == ("counter", "prometheus")
    assert run["gap_share"] == 0 and run["sample_hz"] == 0.1 and run["notes"] == ""


@pytest.mark.parametrize(("what", "value", "place"), table("constants"))
def test_each_constant_of_the_page_is_that_of_the_code(what, value, place):
    module, _, name = place.strip("`").rpartition(".")
    assert getattr(importlib.import_module(f"trialwatt.{module}"), name) == float(value), what


def test_the_record_is_intact():
    manifest = json.loads((RECORD / "run.json").read_text())
    assert manifest["files"] == checksums(RECORD)
    assert manifest["idle"]["watts"] == {"package": 48.0} and manifest["host"]["cores"] == 4


def test_the_rules_are_numbered_from_1():
    numbers = [int(number) for number in re.findall(r"\*\*Rule (\d+):", PAGE)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_code_names_only_rules_that_there_are():
    count = len(re.findall(r"\*\*Rule \d+:", PAGE))
    source = DOCS.parent / "src"
    named = [
        (path.name, int(number))
        for path in source.rglob("*.py")
        for number in re.findall(r"docs/methodology,? rule (\d+)", path.read_text())
    ]
    assert named and all(1 <= number <= count for _, number in named), named


# --- the record by hand, without the package ----------------------------------------------------


def read(path: Path) -> list[dict]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def jsonl(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class ByHand:
    """The rule of the page in loops over tenths of a second, from the files alone."""

    TICK = 0.1

    def __init__(self):
        power = read(RECORD / "samples" / "power-prometheus.csv")
        usage = read(RECORD / "samples" / "usage.csv")
        self.at = [(int(r["m"]) - MONO_NS) / 1e9 for r in power]
        self.joules = [int(r["package"]) / 1e6 for r in power]
        self.cpu = {
            name: [int(r["cpu_ns"]) / 1e9 for r in usage if r["component"] == name]
            for name in ("machine", "worker-0", "worker-1", "harness")
        }
        self.trials = []
        for name in ("worker-0", "worker-1"):
            lines = [e for e in jsonl(RECORD / "records" / f"{name}.jsonl") if e["kind"] == "trial"]
            for start, end in zip(lines[::4], lines[3::4], strict=True):
                span = [(e["m"] - MONO_NS) / 1e9 for e in (start, end)]
                self.trials.append((name, *span, end["outcome"], start["phi"]))

    def drawn(self, component: str, reserved: float, since: float, until: float) -> float:
        """Joules of a component; CPU time is even within each interval of this record."""
        total, ticks = 0.0, round((until - since) / self.TICK)
        for tick in range(ticks):
            moment = since + (tick + 0.5) * self.TICK
            i = max(k for k in range(len(self.at) - 1) if self.at[k] <= moment)
            length = self.at[i + 1] - self.at[i]
            energy = self.joules[i + 1] - self.joules[i]
            static = min(48.0 * length, energy)
            busy = self.cpu["machine"][i + 1] - self.cpu["machine"][i]
            own = self.cpu[component][i + 1] - self.cpu[component][i]
            dynamic = (energy - static) * own / busy if busy else 0.0
            total += (static * reserved + dynamic) * self.TICK / length
        return total


def levelled_by_hand(times: list[float], counter: list[float], cores: float) -> list[float]:
    """The page's formula, term by term."""
    rate = max(cores, (counter[-1] - counter[0]) / (times[-1] - times[0]))
    return [
        min(
            counter[0] + rate * (times[i] - times[0]),
            max(counter[j] - rate * (times[j] - times[i]) for j in range(i, len(times))),
        )
        for i in range(len(times))
    ]


@pytest.mark.parametrize("seed", range(10))
def test_levelling_by_hand(seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.choice([0.0005, 0.01, 0.2], 60))
    counter = np.cumsum(rng.integers(0, 6, 60) * 0.01)
    found = levelled(Curve(times, counter), 2.0).values
    by_hand = levelled_by_hand(times.tolist(), counter.tolist(), 2.0)
    assert found.tolist() == pytest.approx(by_hand, abs=1e-12)


def test_the_record_by_hand(extracted):
    hand, run = ByHand(), extracted[id(CONTEXT)].run
    workers = {name: hand.drawn(name, 1 / 4, 0, 100) for name in ("worker-0", "worker-1")}
    harness = hand.drawn("harness", 0, 0, 100)
    job = sum(workers.values()) + harness
    each = [hand.drawn(name, 1 / 4, since, until) for name, since, until, *_ in hand.trials]
    assert each == pytest.approx([620, 300, 640])
    idle = sum(workers.values()) - sum(each)
    machine = hand.joules[-1] - hand.joules[0]
    for column, joules in (
        ("job_energy_kwh", job),
        ("trials_energy_kwh", sum(each)),
        ("idle_energy_kwh", idle),
        ("harness_energy_kwh", harness),
        ("other_energy_kwh", machine - job),
        ("ept_kwh", job / 1),
        ("twh_kwh", sum(each) / 3),
        ("wte_kwh", each[1] + each[2]),
        ("energy_to_goal_kwh", sum(
            hand.drawn(name, share, 0, 40)
            for name, share in (("worker-0", 1 / 4), ("worker-1", 1 / 4), ("harness", 0))
        )),
    ):  # fmt: skip
        assert run[column] == pytest.approx(joules / J_PER_KWH, rel=1e-9), column
    assert run["wr"] == pytest.approx(idle / job)
    assert run["carbon_g"] == pytest.approx(job / J_PER_KWH * 400 * 1.5)
    held_h = sum(until - since for _, since, until, *_ in hand.trials[1:]) / 3600
    assert run["wtc"] == pytest.approx(held_h * (0.036 + 0.0036))
    assert math.isclose(run["oc"], 2 * 100 / 3600 * (0.036 + 0.0036))


REFERENCE = DOCS.parent / "results" / "reference" / "results" / "runs" / "reference"


@pytest.mark.parametrize("sut", ["hyperopt", "optuna", "plain", "ray"])
def test_a_real_run_by_hand(sut):
    folder = min(REFERENCE.glob(f"{sut}-*/rep1"))
    hand, found = by_hand.Run(folder).energies(), extract_run(folder, CONTEXT)
    trials = found.trials.set_index("trial")["energy_kwh"] * J_PER_KWH
    close = {"rel": 1e-9, "abs": 1e-9 * hand["machine"]}
    assert {name: hand[name] for name in trials.index} == pytest.approx(trials.to_dict(), **close)
    run = {name: value for name, value in found.run.items() if name.endswith("_energy_kwh")}
    job = sum(hand[name] for name in (*by_hand.Run(folder).parts, "harness"))
    assert run["job_energy_kwh"] * J_PER_KWH == pytest.approx(job, **close)
    assert run["harness_energy_kwh"] * J_PER_KWH == pytest.approx(hand["harness"], **close)
    assert run["other_energy_kwh"] * J_PER_KWH == pytest.approx(hand["machine"] - job, **close)
