"""Records of runs that never happened, for benchmarks and tests: the format of docs/records.md."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trialwatt.config.identity import run_folder, run_hash
from trialwatt.config.models import RunConfig

UTC_NS = 1_750_000_000_000_000_000
MONO_NS = 5_000_000_000_000
CORES, MEMORY_MB = 16, 65536
MIN_W, MAX_W = 2.0, 5.0
_STEPS = (("deploy", 1.0), ("setup", 0.2))
_AFTER = (("collect", 0.1), ("test", 0.1), ("metrics", 0.05), ("undeploy", 0.2))
_LRS, _SIZES = (0.0001, 0.001, 0.01), (32, 128)


@dataclass(frozen=True)
class Synthetic:
    """The size of a synthetic run. unit: what the meter gives, "w" (modelled) or "uj" (counter)."""

    trials: int = 100
    workers: int = 4
    seconds: float = 600.0  # of the trials step
    hz: float = 5.0
    epochs: int = 1
    unit: str = "w"
    wraps_at: int = 40_000_000
    seed: int = 1

    @property
    def meter(self) -> str:
        """One that gives this unit."""
        return "model" if self.unit == "w" else "rapl"


def config_of(size: Synthetic) -> RunConfig:
    """The configuration that such a run would have had."""
    return RunConfig.model_validate(
        {
            "sut": "plain",
            "workload": {
                "dataset": "digits",
                "epochs": size.epochs,
                "space": {"lr": {"choices": list(_LRS)}, "ls": {"choices": list(_SIZES)}},
                "search": {"sampler": "random", "budget": size.trials},
                "workers": {"count": size.workers, "cpu": 2, "memory_mb": 2048},
            },
            "testbed_name": "synthetic",
            "testbed": {"sample_hz": size.hz, "meters": ["model"]},
            "seed": size.seed,
        }
    )


def write_run(root: Path, size: Synthetic, repetition: int = 1) -> Path:
    """Write one repetition below `root`, the same for the same arguments; returns its folder."""
    config = config_of(size)
    folder = Path(root) / run_folder(config) / f"rep{repetition}"
    (folder / "records").mkdir(parents=True)
    (folder / "samples").mkdir()
    rng = np.random.default_rng([size.seed, repetition])
    run_id = f"{run_hash(config)}-r{repetition}"
    steps = _schedule(size)
    tracks = {}
    for worker in range(size.workers):
        name = f"worker-{worker}"
        count = size.trials // size.workers + (worker < size.trials % size.workers)
        tracks[name] = _write_worker(folder, run_id, name, count, size, steps, rng)
    tracks["storage"] = np.array([[0.1e9, 0.0], [steps["undeploy"][1], 2e9]])
    _write_harness(folder, run_id, size, steps, tracks)
    _write_samples(folder, size, steps, tracks)
    _write_manifest(folder, config, run_id, repetition, size)
    return folder


def _schedule(size: Synthetic) -> dict[str, tuple[int, int]]:
    steps, at = {}, 0
    for name, seconds in (*_STEPS, ("trials", size.seconds), *_AFTER):
        steps[name] = (at, at + int(seconds * 1e9))
        at = steps[name][1]
    return steps


def _head(m: int, run_id: str, who: str, kind: str) -> str:
    return f'{{"t":{UTC_NS + m},"m":{MONO_NS + m},"run":"{run_id}","who":"{who}","kind":"{kind}"'


def _write_worker(folder, run_id, name, count, size, steps, rng) -> np.ndarray:
    """Its records; returns its CPU counter as (k, 2) knots of time and CPU ns."""
    start, end = steps["trials"]
    slot = (end - start) / max(count, 1)
    lengths = rng.uniform(0.5, 1.0, (count, 4)) * np.array([0.0, 0.1, 0.6, 0.2]) * slot
    at = start + np.arange(count)[:, None] * slot + np.cumsum(lengths, axis=1) - lengths[:, :1]
    at = at.astype(np.int64)  # load, train, validate, end
    busy = np.diff(at, axis=1) * np.array([0.9, 1.9, 1.5])
    cpu = np.cumsum(np.column_stack([np.full(count, 0.01 * slot), busy]).ravel())
    cpu = cpu.reshape(count, 4).astype(np.int64) if count else np.empty((0, 4), np.int64)
    lr, ls = rng.choice(_LRS, count), rng.choice(_SIZES, count)
    score = rng.uniform(0.5, 0.99, count)
    lines = []
    with (folder / "records" / f"{name}.jsonl").open("w") as file:
        rows = zip(at.tolist(), cpu.tolist(), lr.tolist(), ls.tolist(), score.tolist(), strict=True)
        for i, (m, c, rate, width, reached) in enumerate(rows):
            trial = f'"trial":"{name}/{i}"'
            lines += [
                f'{_head(m[0], run_id, name, "trial")},{trial},"cpu_ns":{c[0]},"status":"start",'
                f'"step":"load","phi":{{"lr":{rate},"ls":{width}}},"number":{i},"seed":{i}}}\n',
                f'{_head(m[1], run_id, name, "trial")},{trial},"status":"step","step":"train",'
                f'"cpu_ns":{c[1]}}}\n',
            ]
            for epoch in range(1, size.epochs + 1):
                when = m[1] + (m[2] - m[1]) * epoch // (size.epochs + 1)
                lines.append(
                    f'{_head(when, run_id, name, "epoch")},{trial},"epoch":{epoch},'
                    f'"scores":{{"macro_f1":{reached:.6f},"accuracy":{reached:.6f}}}}}\n'
                )
            lines += [
                f'{_head(m[2], run_id, name, "trial")},{trial},"status":"step","step":"validate",'
                f'"cpu_ns":{c[2]}}}\n',
                f'{_head(m[3], run_id, name, "trial")},{trial},"cpu_ns":{c[3]},"status":"end",'
                f'"outcome":"completed","reason":"","detail":"","scores":{{"macro_f1":{reached:.6f},'
                f'"accuracy":{reached:.6f}}},"epochs":{size.epochs}}}\n',
            ]
            if len(lines) > 50_000:
                file.writelines(lines)
                lines.clear()
        file.writelines(lines)
    knots = np.column_stack([at.ravel(), cpu.ravel()]).astype(float)
    return np.concatenate([[[0.2e9, 0.0]], knots, [[steps["undeploy"][1], cpu.max(initial=0)]]])


def _write_harness(folder, run_id, size, steps, tracks) -> None:
    events = []
    for name, (start, end) in steps.items():
        events.append((start, "step", {"step": name, "status": "start"}))
        events.append((end, "step", {"step": name, "status": "end"}))
    for name, track in tracks.items():
        kind = "worker" if name.startswith("worker") else "service"
        who = {"component": name, "role": name.split("-")[0], "type": kind}
        reserved = {"cpu": 2, "memory_mb": 2048}
        start, end = int(track[0, 0]), int(track[-1, 0]) - 50_000_000
        used = {"code": 0, "reason": "", "cpu_ns": int(track[-1, 1]), "peak_memory_bytes": 3 << 28}
        events.append((start, "component", {**who, "status": "start", **reserved}))
        events.append((start + 100, "component", {**who, "status": "ready"}))
        events.append((end, "component", {**who, "status": "end", **used}))
    events.sort(key=lambda event: event[0])
    with (folder / "records" / "harness.jsonl").open("w") as file:
        for m, kind, keys in events:
            file.write(_head(m, run_id, "harness", kind) + "," + json.dumps(keys)[1:] + "\n")


def _write_samples(folder, size, steps, tracks) -> None:
    end = steps["undeploy"][1]
    regular = np.arange(-0.1e9, end + 0.2e9, 1e9 / size.hz)
    bounds = [float(t) for step in steps.values() for t in step]
    times = np.unique(np.concatenate([regular, bounds]).astype(np.int64))
    cpu = {name: np.interp(times, track[:, 0], track[:, 1]) for name, track in tracks.items()}
    cpu["harness"] = 0.02 * (times - times[0])
    cpu["machine"] = sum(cpu.values()) + 0.1 * (times - times[0])
    order = ["machine", "harness", *tracks]
    table = np.rint(np.column_stack([cpu[name] for name in order])).astype(np.int64).tolist()
    stamps = [f"{UTC_NS + t},{MONO_NS + t}" for t in times.tolist()]
    with (folder / "samples" / "usage.csv").open("w") as file:
        file.write("t,m,component,cpu_ns,memory_bytes\n")
        for stamp, row in zip(stamps, table, strict=True):
            file.writelines(
                f"{stamp},{name},{used},500000000\n" for name, used in zip(order, row, strict=True)
            )
    dt = np.diff(times, prepend=times[0] - 1)
    busy = np.diff(cpu["machine"], prepend=cpu["machine"][0]) / dt
    watts = CORES * MIN_W + busy * (MAX_W - MIN_W)
    watts[0] = CORES * MIN_W
    with (folder / "samples" / f"power-{size.meter}.csv").open("w") as file:
        file.write("t,m,cpu\n")
        if size.unit == "uj":
            counter = np.cumsum(watts * dt * 1e-3).astype(np.int64) % size.wraps_at
            file.writelines(f"{s},{v}\n" for s, v in zip(stamps, counter.tolist(), strict=True))
        else:
            file.writelines(f"{s},{v:.6f}\n" for s, v in zip(stamps, watts.tolist(), strict=True))


def _write_manifest(folder, config, run_id, repetition, size) -> None:
    domain = {
        "name": "cpu",
        "resource": "cpu",
        "unit": size.unit,
        "method": "modelled" if size.unit == "w" else "counter",
        "wraps_at": None if size.unit == "w" else size.wraps_at,
        "counts": True,
    }
    manifest = {
        "format": 1,
        "run_id": run_id,
        "folder": run_folder(config),
        "hash": run_hash(config),
        "repetition": repetition,
        "seed": 7,
        "config": config.model_dump(mode="json"),
        "status": "completed",
        "reason": "",
        "host": {"cores": CORES, "memory_mb": MEMORY_MB},
        "enforcement": {"kind": "soft"},
        "meters": {size.meter: {"available": True, "reason": "", "domains": [domain]}},
        "headline_meter": size.meter,
        "idle": {"meter": size.meter, "watts": {"cpu": CORES * MIN_W}},
        "clock": {"source": "CLOCK_MONOTONIC", "offsets_ns": {}},
        "best": {"phi": {"lr": 0.01, "ls": 32}, "score": 0.98, "trial": "worker-0/0"},
        "test": {"macro_f1": 0.97, "accuracy": 0.97},
        "files": {},
    }
    (folder / "run.json").write_text(json.dumps(manifest))
