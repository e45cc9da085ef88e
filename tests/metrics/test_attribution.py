"""The attribution against an independent integration: a slow loop over small time cells."""

import bisect
import itertools
import json
import math
import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialwatt.config.models import RunConfig
from trialwatt.metrics.attribution import (
    Curve,
    Grid,
    Part,
    Supply,
    attribute,
    reservations,
    usage_curve,
)
from trialwatt.metrics.energy import KINDS, account
from trialwatt.records.reader import read_run

CELL = 10_000_000  # ns; every event and sample of these schedules lies on this grid
CORES, MEMORY_MB = 4, 8192
T0, M0 = 1_700_000_000_000_000_000, 77_000_000_000
STEPS = ("deploy", "setup", "trials", "collect", "test", "metrics", "undeploy")
DOMAINS = (
    ("package", "cpu", "uj", "counter", 60_000_000, 6.0),
    ("dram", "memory", "uj", "counter", 20_000_000, 1.0),
    ("board", "cpu", "w", "polled", None, 3.0),
    ("guess", "cpu", "w", "modelled", None, 2.0),
    ("gpu-0", "accelerator", "uj", "counter", None, 5.0),
    ("gpu-1", "accelerator", "w", "polled", None, 4.0),
)
HELD = ((), ("gpu-0",), ("gpu-1",), ("gpu-0", "gpu-1"))


class Schedule:
    """A random run on the grid: what is recorded, and the curves that follow from it."""

    def __init__(self, seed: int):
        rng = self.rng = random.Random(seed)
        lengths = [rng.randrange(3, 60) for _ in STEPS]
        lengths[2] = rng.randrange(60, 500)
        bounds = [0]
        for length in lengths:
            bounds.append(bounds[-1] + length)
        self.steps = {s: (bounds[i], bounds[i + 1]) for i, s in enumerate(STEPS)}
        self.end = bounds[-1]
        self.components = {}
        for index in range(rng.randrange(1, 4)):
            start = rng.randrange(0, bounds[3])
            self.components[f"worker-{index}"] = {
                "type": "worker",
                "cpu": rng.choice([0.5, 1, 2]),
                "memory_mb": rng.choice([512, 2048, 4096]),
                "span": (start, rng.randrange(start + 1, self.end + 1)),
                "devices": rng.choice(HELD),
            }
        if rng.random() < 0.6:
            self.components["storage"] = {
                "type": "service",
                "cpu": 1,
                "memory_mb": 1024,
                "span": (rng.randrange(0, 5), self.end - rng.randrange(0, 3)),
            }
        self.trials = {
            n: self._late(self._trials(c), c["span"][1])
            for n, c in self.components.items()
            if c["type"] == "worker"
        }
        self.dispatched = {  # their start is known from elsewhere, without a CPU counter
            f"{n}/{i}"
            for n, own in self.trials.items()
            for i in range(len(own))
            if rng.random() < 0.3
        }
        self.samples = self._sample_times()
        self.true_cpu = {
            n: self._cumulative(c["span"], c["cpu"]) for n, c in self.components.items()
        }
        self.true_cpu["harness"] = self._cumulative((-30, self.end + 30), 0.1)
        noise = self._cumulative((-30, self.end + 30), rng.choice([0.0, 0.5]))
        scale = rng.choice([1.0, 1.0, 0.5])  # at 0.5 the machine says less than its components
        self.true_cpu["machine"] = {
            i: int(scale * sum(cpu[i] for cpu in self.true_cpu.values())) + noise[i] for i in noise
        }
        self.readings = {d[0]: self._readings(d) for d in DOMAINS}

    def _trials(self, component):
        """[(step, start cell)...] per trial, ending with ("end", cell)."""
        rng, (at, end), trials = self.rng, component["span"], []
        while len(trials) < 6:
            at += rng.randrange(0, 40)
            moments = [("load", at)]
            for step in ("train", "validate", "end"):
                at += rng.choice([0, 1, 3, rng.randrange(1, 90)])
                moments.append((step, at))
            if at > end:
                break
            if at > moments[0][1]:
                trials.append(moments)
            at += rng.choice([0, 1])
        return trials

    def _late(self, trials, end):
        """Some trials are found to be lost, and closed, when the next ones have begun."""
        rng = self.rng
        for moments in trials[:-1]:
            if rng.random() < 0.4:
                first, late = rng.randrange(1, 4), rng.randrange(0, 200)
                moments[first:] = [(step, min(at + late, end)) for step, at in moments[first:]]
        return trials

    def _sample_times(self):
        rng, times = self.rng, {t for span in self.steps.values() for t in span}
        at = -rng.randrange(1, 10)
        while at < self.end + 10:
            times.add(at)
            at += 20 + rng.randrange(-4, 5)
        times = sorted(times)
        kept = [t for t in times if rng.random() > 0.15]
        return kept if len(kept) > 3 else times

    def _cumulative(self, span, rate):
        """CPU ns at every cell from −30 to the end + 30."""
        used, total = {}, 0
        for i in range(-30, self.end + 31):
            used[i] = total
            if span[0] <= i < span[1] and self.rng.random() < 0.7:
                total += int(self.rng.random() * rate * CELL)
        return used

    def _readings(self, domain):
        _name, _, unit, _, wraps_at, watts = domain
        values, total = {}, (wraps_at or 0) - self.rng.randrange(1, 4_000_000)  # wraps soon
        for before, t in zip([None, *self.samples], self.samples, strict=False):
            power = watts * self.rng.choice([0.1, 0.5, 1.0, 3.0])
            if before is not None:
                total += int(
                    min(power * (t - before) * CELL / 1e3, wraps_at - 1 if wraps_at else 1e18)
                )
            if unit == "uj":
                values[t] = total % wraps_at if wraps_at else total + 4_000_000
            else:
                values[t] = round(power, 3)
        missing = [t for t in self.samples[1:-1] if self.rng.random() < 0.08]
        if unit == "uj":  # a hole may hide one wrap at most
            missing = [t for t in missing if watts < 2]
            missing = [t for a, t in zip([None, *missing], missing, strict=False) if a is None]
        for t in missing:
            values[t] = None
        return values

    def write(self, folder: Path) -> Path:
        (folder / "records").mkdir()
        (folder / "samples").mkdir()
        lines = {"harness": []}

        def event(who, cell, kind, **keys):
            head = {"t": T0 + cell * CELL, "m": M0 + cell * CELL, "run": "r", "who": who}
            lines.setdefault(who, []).append((cell, {**head, "kind": kind, **keys}))

        for name, (start, end) in self.steps.items():
            event("harness", start, "step", step=name, status="start")
            event("harness", end, "step", step=name, status="end")
        for name, c in self.components.items():
            who = {"component": name, "role": name, "type": c["type"]}
            reserved = {"cpu": c["cpu"], "memory_mb": c["memory_mb"]}
            reserved |= {"devices": list(c["devices"])} if c.get("devices") else {}
            event("harness", c["span"][0], "component", **who, status="start", **reserved)
            used = {"code": 0, "reason": "", "cpu_ns": self.true_cpu[name][c["span"][1]]}
            event("harness", c["span"][1], "component", **who, status="end", **used)
        for name, trials in self.trials.items():
            lines.setdefault(name, [])
            for i, moments in enumerate(trials):
                later = [following[0][1] for following in trials[i + 1 :]]
                for step, at in moments:
                    own = {"trial": f"{name}/{i}", "cpu_ns": self.true_cpu[name][at]}
                    who = name
                    if step == "end" and later and at > later[0]:  # as the coordinator closes it
                        who = "harness"
                        own["cpu_ns"] = min(self.true_cpu[name][t] for t in (at, *later))
                    if step == "load" and own["trial"] in self.dispatched:
                        del own["cpu_ns"]
                    if step == "end":
                        own |= {"status": "end", "outcome": "completed", "reason": "", "detail": ""}
                        own |= {"scores": {"macro_f1": 0.5}, "epochs": 1}
                    elif step == "load":
                        own |= {"status": "start", "step": "load", "phi": {"lr": 0.5}}
                        own |= {"number": i, "seed": 1}
                    else:
                        own = {"trial": own["trial"], "status": "step", "step": step, **own}
                    event(who, at, "trial", **own)
        for who, own in lines.items():
            own.sort(key=lambda item: item[0])
            text = "".join(json.dumps(e, separators=(",", ":")) + "\n" for _, e in own)
            (folder / "records" / f"{who}.jsonl").write_text(text)
        with (folder / "samples" / "usage.csv").open("w") as file:
            file.write("t,m,component,cpu_ns,memory_bytes\n")
            for t in self.samples:
                for name in self.true_cpu:
                    span = self.components.get(name, {"span": (-99, 10**9)})["span"]
                    if span[0] <= t <= span[1]:
                        cpu = self.true_cpu[name][t]
                        file.write(f"{T0 + t * CELL},{M0 + t * CELL},{name},{cpu},1000\n")
        with (folder / "samples" / "power-m.csv").open("w") as file:
            file.write(f"t,m,{','.join(d[0] for d in DOMAINS)}\n")
            for t in self.samples:
                row = [self.readings[d[0]][t] for d in DOMAINS]
                texts = ["" if v is None else str(v) for v in row]
                file.write(f"{T0 + t * CELL},{M0 + t * CELL},{','.join(texts)}\n")
        config = RunConfig.model_validate(
            {
                "sut": "plain",
                "workload": {"space": {"lr": {"choices": [0.5]}}},
                "testbed_name": "t",
                "testbed": {"sample_hz": 5},
                "seed": 1,
            }
        )
        keys = ("name", "resource", "unit", "method", "wraps_at")
        domains = [dict(zip(keys, d[:5], strict=True)) | {"counts": True} for d in DOMAINS]
        manifest = {
            "format": 1,
            "run_id": "r",
            "hash": "h",
            "repetition": 1,
            "config": config.model_dump(mode="json"),
            "host": {"cores": CORES, "memory_mb": MEMORY_MB},
            "meters": {"m": {"domains": domains}},
            "headline_meter": "m",
            "idle": {
                "meter": "m",
                "watts": {"package": 4.0, "dram": 0.7, "guess": 1.0, "board": 0.0},
            },
        }
        (folder / "run.json").write_text(json.dumps(manifest))
        return folder


IDLE_W = {"package": 4.0, "dram": 0.7, "guess": 1.0, "board": 0.0}


def line_through(points: dict[int, float]):
    """The piecewise linear function through points, flat outside, never falling."""
    known = sorted(points)
    values, top = [], -math.inf
    for t in known:
        top = max(top, points[t])
        values.append(top)

    def at(t):
        if t <= known[0]:
            return values[0]
        if t >= known[-1]:
            return values[-1]
        i = bisect.bisect_right(known, t)
        share = (t - known[i - 1]) / (known[i] - known[i - 1])
        return values[i - 1] + share * (values[i] - values[i - 1])

    return at


class BruteForce:
    """Sums over cells of 10 ms, each of them given to its owner one by one."""

    def __init__(self, s: Schedule):
        self.s = s
        self.trials: dict[str, float] = {}
        self.kinds: dict[str, float] = dict.fromkeys(KINDS, 0.0)
        self.steps: dict[str, float] = dict.fromkeys(STEPS, 0.0)
        self.machine = 0.0
        self.other = 0.0
        cpu = self._cpu_functions()
        machine = line_through({t: s.true_cpu["machine"][t] for t in s.samples})
        for domain in DOMAINS:
            self._add(domain, cpu, machine)

    def _cpu_functions(self):
        s, functions = self.s, {}
        for name, c in s.components.items():
            start, end = c["span"]
            points = {start: 0.0, end: s.true_cpu[name][end]}
            points |= {t: s.true_cpu[name][t] for t in s.samples if start <= t <= end}
            for index, moments in enumerate(s.trials.get(name, [])):
                known = moments[1:] if f"{name}/{index}" in s.dispatched else moments
                # what is said of a trial once its worker has gone on to the next is not used
                until = min((m[0][1] for m in s.trials[name][index + 1 :]), default=s.end)
                points |= {t: s.true_cpu[name][t] for _, t in known if t <= until}
            functions[name] = line_through(points)
        functions["harness"] = line_through({t: s.true_cpu["harness"][t] for t in s.samples})
        return functions

    def _power(self, domain):
        """Mean watts in every cell of the window."""
        name, _, unit, method, wraps_at, _ = domain
        known = [t for t in self.s.samples if self.s.readings[name][t] is not None]
        watts = []
        for a, b in itertools.pairwise(known):
            va, vb = self.s.readings[name][a], self.s.readings[name][b]
            if unit == "uj":
                grown = vb - va if vb >= va else vb - va + wraps_at
                watts.append(grown / 1e6 / ((b - a) * CELL / 1e9))
            else:
                watts.append(vb if method == "modelled" else (va + vb) / 2)
        cells = []
        for i in range(self.s.end):
            j = min(max(bisect.bisect_right(known, i) - 1, 0), len(watts) - 1)
            cells.append(watts[j])
        cuts = {t for t in known if 0 <= t <= self.s.end} | {0, self.s.end}
        return cells, sorted(cuts)

    def _add(self, domain, cpu, machine):
        name, resource = domain[0], domain[1]
        s, (watts, cuts) = self.s, self._power(domain)
        for a, b in itertools.pairwise(cuts):
            seconds = (b - a) * CELL / 1e9
            energy = sum(watts[a:b]) * CELL / 1e9
            static = min(IDLE_W.get(name, math.inf) * seconds, energy)
            used = {n: f(b) - f(a) for n, f in cpu.items()}
            total = max(machine(b) - machine(a), sum(used.values()))
            given = 0.0
            for i in range(a, b):
                shares = {
                    n: self._share(c, name, resource)
                    for n, c in s.components.items()
                    if c["span"][0] <= i < c["span"][1]
                }
                over = max(1.0, sum(shares.values()))
                for n, f in cpu.items():
                    joules = static / (b - a) * shares.get(n, 0.0) / over
                    if total > 0:
                        joules += (energy - static) * (f(i + 1) - f(i)) / total
                    self._give(n, i, joules)
                    given += joules
            self.machine += energy
            self.other += energy - given

    @staticmethod
    def _share(component, domain, resource):
        if resource == "accelerator":
            return float(domain in component.get("devices", ()))
        if resource == "memory":
            return component["memory_mb"] / MEMORY_MB
        return component["cpu"] / CORES

    def _give(self, name, cell, joules):
        """A worker's cell is that of the trial that began last, if it has not ended."""
        kind = {"harness": "harness", "storage": "services"}.get(name, "idle")
        begun = [(n, t) for n, t in enumerate(self.s.trials.get(name, [])) if t[0][1] <= cell]
        for index, moments in begun[-1:]:
            for (step, start), (_, end) in itertools.pairwise(moments):
                if start <= cell < end:
                    kind = step
                    trial = f"{name}/{index}"
                    self.trials[trial] = self.trials.get(trial, 0.0) + joules
        self.kinds[kind] += joules
        for step, (start, end) in self.s.steps.items():
            if start <= cell < end:
                self.steps[step] += joules


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**9))
def test_random_runs_agree_with_brute_force(seed):
    schedule = Schedule(seed)
    with tempfile.TemporaryDirectory() as folder:
        records = read_run(schedule.write(Path(folder)))
        found = account(records, np.empty(0), np.ones(1))
    expected = BruteForce(schedule)
    close = {"rel": 1e-9, "abs": 1e-9 * expected.machine}
    ids = records.trials.ids.to_pylist()
    joules = dict(zip(ids, found.trial_static_j + found.trial_dynamic_j, strict=True))
    assert joules.keys() >= expected.trials.keys()
    for trial, value in joules.items():
        assert value == pytest.approx(expected.trials.get(trial, 0.0), **close)
    for kind in KINDS:
        assert found.of_kinds(kind) == pytest.approx(expected.kinds[kind], **close)
    for index, step in enumerate(found.steps):
        assert found.cells_j[:, index].sum() == pytest.approx(expected.steps[step], **close)
    assert found.machine_j == pytest.approx(expected.machine, rel=1e-9)
    assert found.other_j == pytest.approx(expected.other, **close)
    # A worker holds one trial at a time, so no time counts twice.
    for index, name in enumerate(records.trials.workers):
        mine = records.trials.worker == index
        spent = (records.trials.end_ns - records.trials.start_ns)[mine].sum()
        start, end = schedule.components[name]["span"]
        assert 0 <= spent <= (end - start) * CELL
    # All that the job drew is somebody's, and the parts add up.
    trials = found.trial_static_j.sum() + found.trial_dynamic_j.sum()
    rest = found.of_kinds("idle", "services", "harness")
    assert found.job_j == pytest.approx(trials + rest, rel=1e-9)
    assert found.other_j >= -1e-9 * expected.machine


def test_marks_split_the_sums_and_change_no_energy(run_folder):
    records = read_run(run_folder)
    whole = account(records, np.empty(0), np.ones(1))
    start, end = records.window
    marks = np.linspace(start, end, 9)[1:-1].astype(np.int64)
    split = account(records, marks, np.arange(8.0))
    assert split.trial_static_j == pytest.approx(whole.trial_static_j, rel=1e-12)
    assert split.trial_dynamic_j == pytest.approx(whole.trial_dynamic_j, rel=1e-9, abs=1e-12)
    slots = split.cells_j.sum(axis=(0, 1))
    assert slots.sum() == pytest.approx(whole.job_j, rel=1e-12)
    assert split.job_weighted == pytest.approx((slots * np.arange(8.0)).sum(), rel=1e-12)


def test_reservations_beyond_the_machine_are_normalised():
    first, second = reservations([[(0, 10)], [(5, 20)]], [0.8, 0.4])
    assert first.at(np.array([5.0, 10.0, 20.0])) == pytest.approx(
        [4, 4 + 5 * 0.8 / 1.2, 7.33333333]
    )
    assert second.at(np.array([5.0, 10.0, 20.0])) == pytest.approx([0, 5 / 3, 5 / 3 + 4])


def test_a_counter_that_falls_back_is_lifted():
    curve = usage_curve(np.array([0.0, 2.0, 1.0, 3.0]), np.array([0.0, 4.0, 5.0, np.nan]))
    assert curve.at(np.array([0.0, 1.0, 1.5, 2.0, 9.0])) == pytest.approx([0, 5, 5, 5, 5])


def test_a_slow_meter_is_divided_by_cpu_time_whatever_steps_lie_within():
    """One interval of 30 s over a short job: who used the CPU for how long is all that counts."""
    none = np.empty(0)
    harness = Part(Curve(np.array([0.0, 1e9, 30e9]), np.array([0.0, 1e9, 1e9])), {}, none)
    worker = Part(Curve(np.array([0.0, 1e9, 30e9]), np.array([0.0, 0.0, 29e9])), {}, none)
    machine = Curve(np.array([0.0, 30e9]), np.array([0.0, 30e9]))
    kinds = [np.array([0]), np.array([1])]
    found = {}
    for name, starts in (("whole", [0.0]), ("cut", [0.0, 0.5e9, 1e9, 15e9])):
        grid = Grid(np.array([0.0, 30e9]), np.array(starts), none, np.ones(1))
        supplies = [Supply(np.array([300.0]), 0.0, "cpu")]
        found[name] = attribute([harness, worker], kinds, 2, machine, grid, supplies)
    for drawn in found.values():
        assert [float(d.dynamic_j.sum()) for d in drawn] == pytest.approx([10.0, 290.0])
    steps = sum(drawn.cells_j.sum(axis=(0, 2)) for drawn in found["cut"])
    assert steps == pytest.approx([5.0, 5.0, 140.0, 150.0])
