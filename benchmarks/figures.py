"""All runs done → metrics, figures, tables, answers and report of 1,000 runs over 9 experiments.

The limit is for the figures, on two cores that nothing else uses: each job is a process of its
own, as a script of a rule is, and two run at a time. What comes after them is timed as well;
Snakemake's own time is not in it. The records are synthetic (synthetic.py): 24 trials, 10 s at
10 Hz; the runs share the files of a few. Exits with 1 if the limit is exceeded.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from synthetic import Synthetic, config_of, write_run

from trialwatt.config.identity import run_folder, run_hash
from trialwatt.config.models import RunConfig

LIMIT_S, JOBS, REPETITIONS, LEAST_RUNS = 120, 2, 5, 1000
RUN = Synthetic(trials=24, workers=4, seconds=10, hz=10, epochs=5)
DISTINCT_RUNS = 20
GRID_ARMS = [("plain", "grid"), ("optuna", "grid"), ("ray", "grid")]
ARMS = [*GRID_ARMS, ("plain", "random"), ("hyperopt", "random")]
SAMPLERS = {
    "plain": ("grid", "random"),
    "optuna": ("grid", "random", "tpe", "cmaes", "gp", "qmc", "nsga2", "nsga3", "bruteforce"),
    "ray": ("grid", "random", "bayesopt", "optuna", "hyperopt", "nevergrad"),
    "hyperopt": ("random", "tpe", "atpe", "anneal", "mix"),
}
PRUNERS = {
    "plain": ("none",),
    "optuna": ("none", "median", "percentile", "asha", "hyperband", "patient"),
    "ray": ("none", "asha", "hyperband", "median"),
    "hyperopt": ("none",),
}
SIZES = {"ff-6": (3, 2), "ff-12": (4, 3), "ff-24": (6, 4), "ff-48": (8, 6), "ff-96": (12, 8)}
POWER = {
    "gcp-ice-lake": (0.767, 3.652),
    "gcp-sapphire-rapids": (1.036, 4.062),
    "gcp-epyc-3": (0.456, 1.834),
    "gcp-median": (0.68, 4.11),
}


def planned() -> Iterator[tuple[str, str, float | None, RunConfig]]:
    """Experiment, treatment, its value, configuration; the Baseline stands in each experiment."""
    for experiment, key, values in (
        ("r-mem", "workers.memory_mb", range(256, 2049, 128)),
        ("r-cpu", "workers.cpu", (1, 2, 3, 4)),
        ("r-node", "workers.count", (1, 2, 4, 8)),
        ("s-dur", "epochs", (1, 2, 5, 10)),
    ):
        for value in values:
            for arm in ARMS:
                yield experiment, f"{key}={value}", float(value), configured(arm, {key: value})
    for arm in ARMS:
        yield "baseline", "baseline", None, configured(arm, {})
        yield "r-acl", "workers.accelerator=cpu", None, configured(arm, {})
    for sut, names in SAMPLERS.items():
        for name in names:
            yield "s-sam", f"search.sampler={name}", None, configured((sut, name), {})
    for sut, names in PRUNERS.items():
        for name in names:
            arm = sut, "random" if sut == "hyperopt" else "grid"
            changed = configured(arm, {"search.pruner": name})
            yield "s-pru", f"search.pruner={name}", None, changed
    for name, (lr, ls) in SIZES.items():
        space = {"lr": {"choices": list(range(1, lr + 1))}, "ls": {"choices": list(range(ls))}}
        for arm in ARMS:
            yield "s-phi", f"space={name}", None, configured(arm, {"space": space})
        for sampler in ("random", "tpe"):
            label = f"space={name}, search.sampler={sampler}, search.budget=24"
            for sut in SAMPLERS:
                if sampler in SAMPLERS[sut]:
                    changed = {"space": space, "search.budget": 24}
                    yield "s-phi", label, None, configured((sut, sampler), changed)


def configured(arm: tuple[str, str], changed: dict) -> RunConfig:
    """The base configuration with an arm (SUT and sampler) and some dotted workload keys."""
    data = config_of(RUN).model_dump(mode="json")
    data["sut"] = arm[0]
    data["workload"]["search"] |= {"sampler": arm[1], "budget": None}
    for key, value in changed.items():
        *path, last = key.split(".")
        where = data["workload"]
        for part in path:
            where = where[part]
        where[last] = value
    return RunConfig.model_validate(data)


def make_records(root: Path) -> int:
    """The runs' folders, their records linked; rows.json: experiment → rows and folders."""
    made = [write_run(root / "made", RUN, repetition) for repetition in range(DISTINCT_RUNS)]
    files = ["records/harness.jsonl", *(f"records/worker-{i}.jsonl" for i in range(4))]
    files += ["samples/usage.csv", "samples/power-model.csv", "job.json", "best.safetensors"]
    sums = {name: hashlib.sha256(name.encode()).hexdigest() for name in files}
    experiments: dict[str, dict] = {}
    baselines = {run_hash(configured(arm, {})) for arm in ARMS}
    written = 0
    for experiment, treatment, value, config in planned():
        digest = run_hash(config)
        row = {"experiment": experiment, "hash": digest, "treatment": treatment}
        row |= {"treatment_value": value, "is_baseline": digest in baselines}
        here = experiments.setdefault(experiment, {"rows": [], "folders": []})
        here["rows"].append(row)
        for repetition in range(1, REPETITIONS + 1):
            folder = root / "results" / run_folder(config) / f"rep{repetition}"
            here["folders"].append(str(folder))
            if folder.exists():
                continue
            source = made[written % DISTINCT_RUNS]
            written += 1
            folder.mkdir(parents=True)
            manifest = json.loads((source / "run.json").read_text())
            manifest |= {"hash": digest, "folder": run_folder(config), "repetition": repetition}
            manifest |= {"config": config.model_dump(mode="json"), "files": sums}
            (folder / "run.json").write_text(json.dumps(manifest))
            for name in ("records", "samples"):
                (folder / name).symlink_to(source / name)
    for name in experiments:
        file = root / "config" / "experiments" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"title: {name}\n")
    (root / "rows.json").write_text(json.dumps(experiments))
    return written


def work(job: str, experiment: str, root: Path) -> None:
    """One job of the workflow; what it imports is part of its time."""
    from prices import CONTEXT

    experiments = json.loads((root / "rows.json").read_text())
    results = root / "results"

    def source(name: str):
        from trialwatt.figures.make import Source

        return Source(name, results, root, root / "config" / "experiments" / f"{name}.yaml")

    if job == "metrics":
        from trialwatt.config.plan_parts import ExperimentRow
        from trialwatt.metrics.tables import build_tables

        here = experiments[experiment]
        rows = [ExperimentRow(**row) for row in here["rows"]]
        build_tables(map(Path, here["folders"]), rows, CONTEXT, results / "metrics" / experiment)
    elif job == "figures":
        from trialwatt.config.factors import compared, split
        from trialwatt.figures import figures_of
        from trialwatt.figures.make import make_figures

        labels = [row["treatment"] for row in experiments[experiment]["rows"]]
        keys = compared(split(label) for label in labels if "=" in label)
        make_figures(figures_of(keys), source(experiment))
    elif job == "table":
        from trialwatt.figures.make import make_table

        make_table(source(experiment))
    elif job == "answers":
        from trialwatt.figures.answers import write_answers
        from trialwatt.meters.coefficients import PowerParameters

        same = {"memory_w_per_gb": 0.392, "included_gb_per_vcpu": 4, "source": "a benchmark"}
        sets = {
            name: PowerParameters(min_w=low, max_w=high, **same)
            for name, (low, high) in POWER.items()
        }
        write_answers([source(name) for name in experiments], CONTEXT, sets)
    else:
        from trialwatt.page.report import write_report

        write_report(results, [{"id": name} for name in experiments], results / "report.html")


def run_job(job: str, experiment: str, root: Path) -> tuple[str, float]:
    """In a fresh process; returns its kind and its seconds of CPU time."""
    environment = os.environ | dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
    )
    command = [sys.executable, __file__, job, experiment, str(root)]
    process = subprocess.Popen(command, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise subprocess.CalledProcessError(status, command)
    return job, used.ru_utime + used.ru_stime


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        runs = make_records(root)
        names = list(json.loads((root / "rows.json").read_text()))
        assert runs >= LEAST_RUNS, runs
        started, spent, reached = time.monotonic(), {}, {}
        with ThreadPoolExecutor(JOBS) as pool:
            for stage in (
                [("metrics", name) for name in names],
                [("figures", name) for name in names],
                [("answers", "-"), *(("table", name) for name in names)],
                [("report", "-")],
            ):
                for job, seconds in pool.map(lambda each: run_job(*each, root), stage):
                    spent[job] = spent.get(job, 0) + seconds
                    reached[job] = time.monotonic() - started
    for job, each in spent.items():
        print(f"  {f'CPU time of {job}, all jobs added up':<42}{each:7.2f} s")
    seconds = reached["figures"]
    verdict = "ok" if seconds <= LIMIT_S else "SHORT"
    print(
        f"{f'{runs:,} runs, metrics to all figures':<44}{seconds:7.2f} s   "
        f"limit {LIMIT_S:6.2f} s   ratio {seconds / LIMIT_S:.2f}   {verdict}"
    )
    more = reached["report"] - seconds
    print(f"{'  then tables, answers and report':<44}{more:7.2f} s")
    return 0 if verdict == "ok" else 1


if __name__ == "__main__":
    if len(sys.argv) == 4:
        work(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
        sys.exit(0)
    sys.exit(main())
