"""The sentences that every energy figure owes its reader: method, meter, place."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from trialwatt.figures import quantity
from trialwatt.metrics.readings import percent
from trialwatt.records.outcome import STATUSES

_SHARE = re.compile(r"\d+(?=% of the machine)")
_LINE, _LINE_IN = 140, 0.12
"""Letters and height of a line under a figure."""
REPLAYED = "replayed"
"""Column of rows that are no runs: what they are made of (figures.replayed)."""
_UP_TO = "…"
"""What differs in one kind of flag, and what stands for it."""


def room_in(runs: pd.DataFrame) -> float:
    """Inches that a figure needs beneath for what is said of rows that are no runs; 0 of runs."""
    return _LINE_IN * -(-len(not_run(runs)) // _LINE)


def energy_statement(runs: pd.DataFrame) -> str:
    """How the energy of these runs came about; says "not measured" where it is modelled."""
    words = quantity.methods(runs["energy_method"])
    said = "Energy: modelled, not measured" if words == "modelled" else f"Energy method: {words}"
    facts = [
        f"{name} {text}"
        for name, key in (("meter", "energy_meter"), ("domains", "energy_domains"))
        if (text := _words(runs, key))
    ]
    rates = quantity.column(runs, "sample_hz").dropna()
    if len(rates):
        facts.append(f"{quantity.spread(rates)} Hz")
    gaps = quantity.column(runs, "gap_share").dropna()
    if len(gaps):
        facts.append(f"gaps {_at_most(gaps.max())} of the time")
    return f"{said} ({', '.join(facts)})." if facts else f"{said}."


def _at_most(share: float) -> str:
    """A share of gaps; more than none is never rounded to none."""
    return "0 %" if share == 0 else f"up to {percent(share)} %"


def cores_said(host: Mapping) -> str:
    """The cores of a manifest's host; on a cluster a run has only reserved them, on some nodes."""
    cores, nodes = host.get("cores"), host.get("nodes")
    if not cores:
        return ""
    on = f" reserved on {nodes} node{'' if nodes == 1 else 's'}" if nodes else ""
    return f"{cores} cores{on}"


def host_said(host: Mapping) -> str:
    """A host in a few words; empty where nothing is known."""
    parts = [
        host.get("cpu_model"),
        cores_said(host),
        f"{host['memory_mb']:,} MB" if host.get("memory_mb") else "",
        f"{host.get('system') or 'Linux'} {host['kernel']}" if host.get("kernel") else "",
        f"Python {host['python']}" if host.get("python") else "",
    ]
    return ", ".join(str(part) for part in parts if part)


def conditions(runs: pd.DataFrame) -> str:
    """How many runs were flagged, energy method, testbed, enforcement of limits."""
    return " ".join(filter(None, [caveat(runs), circumstances(runs)]))


def circumstances(runs: pd.DataFrame) -> str:
    """Energy method, testbed, enforcement of limits."""
    return f"{energy_statement(runs)} {place(runs)}"


def caveat(runs: pd.DataFrame) -> str:
    """How many of these runs are flagged; empty where none is."""
    flagged = count_flagged(runs)
    return f"Flagged: {flagged} of {len(runs)} runs (report.html lists them)." if flagged else ""


def note(runs: pd.DataFrame, text: str) -> str:
    """What stands under a figure or table of these runs: the caveat, if any, in a line before all
    else; then the text, and under which circumstances they were made. Of replayed searches
    (analysis.replayed) that comes first."""
    return "\n".join(filter(None, [not_run(runs), caveat(runs), f"{text}{circumstances(runs)}"]))


def not_run(runs: pd.DataFrame) -> str:
    """What is to be known of runs that are none, but replayed searches; empty of runs."""
    return " ".join(sorted(set(runs[REPLAYED]))) if REPLAYED in runs else ""


def place(runs: pd.DataFrame) -> str:
    """Testbed, and how the limits of the workers were enforced."""
    limits = _words(runs, "enforcement")
    enforced = f"; limits: {limits}" if limits else ""
    return f"Testbed: {_words(runs, 'testbed') or 'unknown'}{enforced}."


def texts(value: object) -> list[str]:
    """A cell that holds a text or several, as texts."""
    if value is None or (isinstance(value, float) and pd.isna(value)) or value is pd.NA:
        return []
    if isinstance(value, str):
        return [value] if value else []
    return [str(part) for part in value]


def by_status(runs: pd.DataFrame) -> str:
    """How many runs came out in which way: `11 completed, 1 infeasible`."""
    counts = runs["status"].value_counts()
    return ", ".join(f"{counts[name]:,} {name}" for name in STATUSES if name in counts)


def count_flagged(runs: pd.DataFrame) -> int:
    """Runs with at least one flag."""
    return sum(bool(texts(flags)) for flags in runs["flags"]) if "flags" in runs else 0


def why_flagged(runs: pd.DataFrame) -> str:
    """The kinds of flags with their runs, the most frequent first; empty where none is flagged."""
    kinds: dict[str, list[int]] = {}
    for flags in runs.get("flags", ()):
        for flag in {part for text in texts(flags) for part in text.split("; ")}:
            share = _SHARE.search(flag)
            kinds.setdefault(_SHARE.sub(_UP_TO, flag), []).append(int(share[0]) if share else 0)
    most = sorted(kinds.items(), key=lambda one: (-len(one[1]), one[0]))
    return "; ".join(
        f"{kind.replace(_UP_TO, f'up to {max(shares)}')}: {len(shares):,}" for kind, shares in most
    )


def _words(runs: pd.DataFrame, name: str) -> str:
    """The distinct texts of a column."""
    if name not in runs:
        return ""
    return ", ".join(sorted({str(v) for v in runs[name].dropna() if str(v)}))
