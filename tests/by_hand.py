"""A run's energies from its files and docs/methodology alone: loops, and nothing of the package.

For runs whose headline is the power model, without an accelerator, damage or a replaced worker.
"""

from __future__ import annotations

import bisect
import csv
import io
import itertools
import json
from pathlib import Path

import pyarrow as pa

S_PER_NS = 1e-9


class Line:
    """Piecewise linear through points, constant outside, lifted where it falls."""

    def __init__(self, points):
        self.at_ns, self.value, top = [], [], None
        for t, v in sorted(points, key=lambda point: point[0]):
            top = v if top is None else max(top, v)
            self.at_ns.append(t)
            self.value.append(top)

    def __call__(self, t):
        i = bisect.bisect_right(self.at_ns, t)
        if i == 0:
            return self.value[0]
        if i == len(self.at_ns):
            return self.value[-1]
        (a, b), (va, vb) = self.at_ns[i - 1 : i + 1], self.value[i - 1 : i + 1]
        return va + (vb - va) * (t - a) / (b - a)


def levelled(line, start, end, most):
    """The page's formula, term by term."""
    times = [start, *(t for t in line.at_ns if start < t < end), end]
    values = [line(t) for t in times]
    rate = max(most, (values[-1] - values[0]) / (end - start))
    best, found = None, []
    for t, v in zip(reversed(times), reversed(values), strict=True):
        # the maximum over j >= i, from behind
        best = v - rate * t if best is None else max(best, v - rate * t)
        found.append((t, min(values[0] + rate * (t - start), best + rate * t)))
    return Line(found)


def recorded(folder: Path, inner: str) -> dict[str, str]:
    """The texts of the files of one folder of a run's, plain or sealed."""
    sealed = folder / f"{inner}.zst"
    if not sealed.exists():
        return {path.name: path.read_text() for path in sorted((folder / inner).iterdir())}
    data = sealed.read_bytes()
    index = json.loads(data[8 : 8 + int.from_bytes(data[4:8], "little")])
    with pa.input_stream(io.BytesIO(data), compression="zstd") as stream:
        return {file["name"]: stream.read(file["bytes"]).decode() for file in index["files"]}


class Run:
    def __init__(self, folder: Path):
        self.manifest = json.loads((folder / "run.json").read_text())
        self.host, self.idle = self.manifest["host"], self.manifest["idle"]["watts"]
        events = [
            json.loads(line)
            for text in recorded(folder, "records").values()
            for line in text.splitlines()
        ]
        steps = [e["m"] for e in events if e["kind"] == "step"]
        self.start, self.end = min(steps), max(steps)
        self.parts = {
            e["component"]: e for e in events if e["kind"] == "component" and e["status"] == "start"
        }
        self.ends = {
            e["component"]: e for e in events if e["kind"] == "component" and e["status"] == "end"
        }
        self.trials = {}
        for e in sorted((e for e in events if e["kind"] == "trial"), key=lambda e: e["m"]):
            self.trials.setdefault(e["trial"], []).append(e)
        samples = recorded(folder, "samples")
        self.usage = {}
        for row in self._rows(samples["usage.csv"]):
            if row["cpu_ns"]:
                points = self.usage.setdefault(row["component"], [])
                points.append((int(row["m"]), float(row["cpu_ns"])))
        self.power = self._rows(samples["power-model.csv"])

    @staticmethod
    def _rows(text):
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def cpu(self, name):
        points = list(self.usage[name])
        if name in self.parts:
            points += [
                (e["m"], float(e["cpu_ns"]))
                for trial in self.trials.values()
                for e in trial
                if e["who"] == name and "cpu_ns" in e
            ]
            points.append((self.ends[name]["m"], float(self.ends[name]["cpu_ns"])))
            points.append((self.parts[name]["m"], 0.0))
        return Line(points)

    def energies(self):
        """J of each trial, each component, the harness, and the machine."""
        names = [*self.parts, "harness"]
        cpu = {name: self.cpu(name) for name in names}
        cores = self.host["cores"]
        machine = levelled(Line(self.usage["machine"]), self.start, self.end, cores)
        found = dict.fromkeys([*names, *self.trials, "machine"], 0.0)
        for domain, size in (("cpu", cores), ("memory", self.host["memory_mb"])):
            energy = self._energy(domain)
            key = "cpu" if domain == "cpu" else "memory_mb"
            share = {name: part[key] / size for name, part in self.parts.items()}
            axis = energy.at_ns
            for a, b in itertools.pairwise(axis):
                drawn = energy(b) - energy(a)
                static = min(self.idle[domain] * (b - a) * S_PER_NS, drawn)
                used = machine(b) - machine(a)
                used = max(used, sum(cpu[name](b) - cpu[name](a) for name in names))
                per_cpu = (drawn - static) / used if used else 0.0
                found["machine"] += drawn
                for name in names:
                    held = self._held(name, a, b, share) / (b - a)
                    found[name] += static * held + per_cpu * (cpu[name](b) - cpu[name](a))
                for trial, lines in self.trials.items():
                    since, until = max(a, lines[0]["m"]), min(b, lines[-1]["m"])
                    if since < until:
                        name = lines[0]["who"]
                        held = self._held(name, since, until, share) / (b - a)
                        mine = cpu[name](until) - cpu[name](since)
                        found[trial] += static * held + per_cpu * mine
        return found

    def _held(self, name, a, b, share):
        """Share × ns; normalised wherever the shares of a moment sum to more than 1."""
        if name not in self.parts:
            return 0.0
        lives = {n: (self.parts[n]["m"], self.ends[n]["m"]) for n in self.parts}
        cuts = sorted({a, b, *(t for life in lives.values() for t in life if a < t < b)})
        total = 0.0
        for since, until in itertools.pairwise(cuts):
            there = [n for n, (s, e) in lives.items() if s <= since and until <= e]
            if name in there:
                total += share[name] / max(1.0, sum(share[n] for n in there)) * (until - since)
        return total

    def _energy(self, domain):
        points, total = [], 0.0
        for before, row in zip([None, *self.power], self.power, strict=False):
            if before is not None:
                seconds = (int(row["m"]) - int(before["m"])) * S_PER_NS
                total += float(row[domain]) * seconds
            points.append((int(row["m"]), total))
        line = Line(points)
        most_w = self.host["cores"] * self.manifest["meters"]["model"]["parameters"]["max_w"]
        most = most_w * S_PER_NS if domain == "cpu" else float("inf")
        if most == float("inf"):
            ends = [(t, line(t)) for t in (self.start, self.end)]
            inside = [p for p in points if self.start < p[0] < self.end]
            return Line([*ends, *inside])
        return levelled(line, self.start, self.end, most)
