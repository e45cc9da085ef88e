"""What run.json says of a run, against its configuration, its testbed, and the other runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from trialwatt.config.identity import repetition_seed
from trialwatt.errors import TrialwattError
from trialwatt.printable import shown
from trialwatt.provenance.foreign import read_json
from trialwatt.review.plausible.run import LETTERS, Fault, Run, at, key_fault
from trialwatt.workload.prepared import PUBLISHED

_MOST_CORES = 8192
_MOST_MB = 1 << 27
"""128 TiB."""
_MACHINE = ("cpu_model", "system")
_SIZE = ("cores", "memory_mb")
_AT_THE_TIME = ("name_hash", "kernel", "python")

_CLOCK_NS = 10**9

_JOB = "job.json"


def host_faults(run: Run) -> Iterator[Fault]:
    host, known = run.manifest["host"], at(run.testbed, "host")
    if run.cores > _MOST_CORES or host["memory_mb"] > _MOST_MB:
        yield key_fault(
            f"host: there is no machine with {host['cores']:g} cores and {host['memory_mb']:g} MB"
        )
    if run.is_local and run.cores != int(run.cores):
        yield key_fault(f"host.cores is {host['cores']:g}, not a whole number")
    if not isinstance(known, Mapping):
        return
    name = run.config.testbed_name
    same = [*_MACHINE, *(_SIZE if run.is_local else ())]
    if run.knows_its_testbed():
        same += _AT_THE_TIME
        yield from _idle(run)
    for key in same:
        if key in known and host.get(key) != known[key]:
            yield key_fault(
                f"host.{key} is {shown(host.get(key), LETTERS)}, but by "
                f"results/testbeds/{name}.json it is {shown(known[key], LETTERS)}"
            )


def _idle(run: Run) -> Iterator[Fault]:
    """Idle power that was measured is that of the testbed's record."""
    watts = at(run.manifest, "idle", "watts") or {}
    for meter, names in (run.manifest.get("headline_domains") or {}).items():
        facts = at(run.testbed, "idle", "meters", meter)
        if at(facts, "by") != "measurement":
            continue
        for domain in names:
            known = at(facts, "domains", domain, "watts")
            found = watts.get(domain)
            if known != found and not _close(known, found):
                yield key_fault(
                    f"idle.watts.{shown(domain, LETTERS)} is {found}, but by results/testbeds/"
                    f"{run.config.testbed_name}.json it is {shown(known, LETTERS)}"
                )


def _close(a: object, b: object) -> bool:
    numbers = isinstance(a, int | float) and isinstance(b, int | float)
    return numbers and math.isclose(a, b, rel_tol=1e-9)


def together_faults(runs: Sequence[Run]) -> Iterator[tuple[Run, Fault]]:
    yield from _overlaps(runs)
    known: dict[str, tuple[str, Run]] = {}
    for run in runs:
        dataset = run.manifest.get("dataset") or {}
        name, sha256 = str(dataset.get("name")), str(dataset.get("sha256"))
        first, other = known.setdefault(name, (sha256, run))
        if first != sha256:
            said = (
                f"dataset.sha256 is another than that of {shown(name, LETTERS)} in {_name(other)}"
            )
            yield run, key_fault(said)


def _overlaps(runs: Sequence[Run]) -> Iterator[tuple[Run, Fault]]:
    """A machine measures one run at a time; only local ones have it for themselves."""
    latest: dict[str, tuple[int, Run]] = {}
    for run in sorted(filter(_is_timed, runs), key=lambda one: one.manifest["started_utc_ns"]):
        machine = str(run.manifest["host"].get("name_hash"))
        start, end = run.manifest["started_utc_ns"], run.manifest["ended_utc_ns"]
        before, other = latest.get(machine, (start, run))
        if start < before - _CLOCK_NS:
            said = f"started_utc_ns is {(before - start) / 1e9:.1f} s before the end of"
            rule = "but one machine measures one run at a time"
            yield run, key_fault(f"{said} {_name(other)}, {rule}")
        if end >= before:
            latest[machine] = end, run


def _is_timed(run: Run) -> bool:
    times = (run.manifest.get("started_utc_ns"), run.manifest.get("ended_utc_ns"))
    return run.is_local and None not in times


def _name(run: Run) -> str:
    return shown("/".join(run.folder.parts[-2:]), 2 * LETTERS)


def identity_faults(run: Run) -> Iterator[Fault]:
    manifest, repetition = run.manifest, run.manifest["repetition"]
    seed = repetition_seed(run.config.seed, repetition)
    if manifest.get("seed") != seed:
        yield key_fault(
            f"seed is {manifest.get('seed')}, but by config.seed and repetition it is {seed}"
        )
    begins = f"{manifest['hash']}-r{repetition}-"
    if not manifest["run_id"].startswith(begins):
        yield key_fault(
            f"run_id is {shown(manifest['run_id'], LETTERS)}, but this run's begin with {begins}"
        )
    yield from _job(run)
    yield from _block(manifest.get("block"), repetition)
    dataset, workload = manifest.get("dataset") or {}, run.config.workload
    name = workload.trial.name if workload.trial else workload.dataset
    published = workload.trial.sha256 if workload.trial else PUBLISHED.get(name)
    if dataset.get("name") != name:
        yield key_fault(f"dataset.name is {shown(dataset.get('name'), LETTERS)}, not {name}")
    elif dataset["sha256"] != (published or dataset["sha256"]):
        what = "config.workload.trial" if workload.trial else f"the published {name}"
        yield key_fault(f"dataset.sha256 is not that of {what}")


def _block(block: Mapping[str, int] | None, repetition: int) -> Iterator[Fault]:
    if block is not None and (block["number"] != repetition or block["position"] > block["runs"]):
        yield key_fault(
            f"block: number {block['number']}, position {block['position']} of {block['runs']}, "
            f"which repetition {repetition} cannot have"
        )


def _job(run: Run) -> Iterator[Fault]:
    """What every process was told is what run.json says of the run."""
    if not (run.folder / _JOB).is_file():
        return
    try:
        told = read_json(run.folder / _JOB)
    except TrialwattError:
        yield Fault(_JOB, "is no JSON")
        return
    for key in ("run_id", "repetition", "seed", "config"):
        if at(told, key) != run.manifest.get(key):
            yield Fault(_JOB, f"{key} is another than in run.json")


def workers_faults(run: Run) -> Iterator[Fault]:
    """Static energy and cost follow from what was reserved, which the configuration says."""
    wanted = run.config.workload.workers
    workers = [c for c in run.records.components if c.type == "worker"]
    for worker in workers:
        for key, found, asked in (
            ("cpu", worker.cpu, run.config.worker_cpu),
            ("memory_mb", worker.memory_mb, wanted.memory_mb),
        ):
            if not math.isclose(found, asked, rel_tol=1e-9):
                yield run.event_fault(
                    f"{worker.name} has {key} {found:g}, but a worker of this run has {asked:g}",
                    kind="component",
                    component=worker.name,
                    status="start",
                )
    if run.manifest.get("status") == "completed" and len(workers) != wanted.count:
        yield key_fault(
            f"config.workload.workers.count is {wanted.count}, but records/harness.jsonl has "
            f"{len(workers)} workers"
        )
