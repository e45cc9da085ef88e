"""A trace as text for people, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from trialwatt.printable import printable
from trialwatt.provenance.chain import Chain, Code
from trialwatt.provenance.traced import Check, Number, Trace

_PARTS = (("config", "configuration files"), ("table", "made of these files of the results"))
_HEAD = 16


def render_text(found: Trace) -> str:
    """The chain as a tree, for people; ends with a verdict."""
    known = found.chain
    branches: list[tuple[str, list]] = [
        (f"kind: {known.kind}", []),
        *((sentence, []) for sentence in found.said),
        *((_line(check), []) for check in found.checks if check.part == "file"),
        (f"experiment: {known.experiment.id}", []),
        (f"sidecar: {found.sidecar}", []),
        (f"made by: {_code(known.code.this)}", []),
        (f"energy: {_energy(known)}", []),
    ]
    branches += [(f"host of the runs: {_host(host)}", []) for host in known.hosts]
    branches += [(f"code of the runs: {_code(code)}", []) for code in known.code.runs]
    branches += [(f"packages of the runs: {_packages(p)}", []) for p in known.packages if p]
    for part, title in _PARTS:
        lines = [(_line(check), []) for check in found.checks if check.part == part]
        if lines:
            branches.append((title, lines))
    branches.append((f"runs: {len(known.runs)} of {_count(known)}", _runs(found)))

    if number := found.number:
        made = [(sentence, []) for sentence in number.made_of]
        branches = [(f"{number.name}: {number.value}", []), ("made of", made), *branches]
    lines = [found.file, *_tree(branches), ""]
    lines += [f"note: {warning}" for warning in found.warnings]
    lines += [f"problem: {problem}" for problem in found.problems]
    return printable([*lines, *_verdict(found)])


def render_json(found: Trace) -> str:
    """The same as JSON, for programs; paths of this machine are not in it, but for `file`."""
    return json.dumps(
        {
            "file": found.file,
            "ok": found.ok,
            "said": found.said,
            "sidecar": found.sidecar,
            "problems": found.problems,
            "warnings": found.warnings,
            "checks": [asdict(check) for check in found.checks],
            "provenance": found.chain.model_dump(mode="json"),
            **({"number": _number(found.number)} if found.number else {}),
        },
        indent=1,
        sort_keys=True,
    )


def _verdict(found: Trace) -> Iterator[str]:
    """What was compared with what, and no more."""
    if not found.ok:
        yield f"The chain is broken: {len(found.problems)} of its links do not hold."
        return
    links = [check for check in found.checks if check.part != "config"]
    agreeing = sum(check.state == "agrees" for check in links)
    yield f"The chain holds: {_files(agreeing)} the checksum that it names."
    if bare := sum(check.state == "no checksum" for check in links):
        yield f"{_files(bare)} no checksum on record: there, but nothing to compare with."
    if gone := sum(check.state == "left out" for check in links):
        yield f"{_files(gone)} been left out of this light archive."
    yield (
        "Not looked at: whether the records are genuine, and whether the same comes out of them "
        "again (`trialwatt verify` makes it again)."
    )


def _files(count: int) -> str:
    return "1 file has" if count == 1 else f"{count} files have"


def _runs(found: Trace) -> list[tuple[str, list]]:
    """A branch for each run of the chain, and for each that could not become part of it."""
    known = found.chain
    by_folder = {run.folder: run for run in known.runs}
    lines: dict[str, list] = {folder: [] for folder in by_folder}
    for check in found.checks:
        if check.run:
            lines.setdefault(check.run, []).append((_line(check), []))
    branches = []
    for folder, own in sorted(lines.items()):
        if run := by_folder.get(folder):
            config = (f"configuration {run.hash}: {_configuration(known, run.hash)}", [])
            branches.append((f"{folder}  {run.status}", [config, *own]))
        else:
            branches.append((f"{folder}  of which nothing is known", own))
    return branches


def _number(number: Number) -> dict:
    return {
        "name": number.name,
        "value": number.value,
        "made_of": list(number.made_of),
        "tables": sorted(number.tables),
        "runs": sorted(number.folders),
    }


def _tree(branches: list[tuple[str, list]], indent: str = "") -> Iterator[str]:
    for index, (text, children) in enumerate(branches):
        last = index == len(branches) - 1
        yield f"{indent}{'└─' if last else '├─'} {text}"
        yield from _tree(children, indent + ("   " if last else "│  "))


def _line(check: Check) -> str:
    checksum = f"  sha256 {check.sha256[:_HEAD]}…" if check.sha256 else ""
    note = f" ({check.note})" if check.note else ""
    return f"{check.path}{checksum}  {check.state}{note}"


def _code(code: Code) -> str:
    if code.version == "unknown" and not code.commit:
        return "not on record"
    commit = f", commit {code.commit[:12]}" if code.commit else ", commit unknown"
    dirty = " with uncommitted changes" if code.dirty else ""
    return f"trialwatt {code.version}{commit}{dirty}"


def _energy(known: Chain) -> str:
    methods = ", ".join(known.energy.methods) or "no method on record"
    meters = ", ".join(known.energy.meters) or "none"
    return f"{methods} (meter: {meters})"


def _host(host: dict) -> str:
    wanted = ("cpu_model", "cores", "memory_mb", "kernel")
    units = {"cores": " cores", "memory_mb": " MB"}
    parts = [f"{host[key]}{units.get(key, '')}" for key in wanted if host.get(key)]
    return ", ".join(parts) or "not on record"


def _packages(packages: dict) -> str:
    return ", ".join(f"{name} {packages[name]}" for name in sorted(packages))


def _configuration(known: Chain, key: str) -> str:
    config = known.configurations.get(key, {})
    workers = _inner(config, "workload", "workers")
    parts = [
        config.get("sut"),
        _inner(config, "workload").get("dataset")
        or _inner(config, "workload", "trial").get("name"),
        _inner(config, "workload", "search").get("sampler"),
        workers and f"{workers.get('count')} × {workers.get('cpu')} vCPU",
        workers and f"{workers.get('memory_mb')} MB",
        f"seed {config['seed']}" if "seed" in config else None,
        config.get("testbed_name"),
    ]
    return ", ".join(str(part) for part in parts if part)


def _inner(config: dict, *keys: str) -> dict:
    """A part of a configuration; empty where there is none, as a stranger's may be anything."""
    for key in keys:
        inner = config.get(key)
        config = inner if isinstance(inner, dict) else {}
    return config


def _count(known: Chain) -> str:
    number = len({run.hash for run in known.runs})
    return f"{number} configuration" if number == 1 else f"{number} configurations"
