"""Moments that cannot be: before the beginning, after the end, in the future, on two clocks."""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Iterator, Mapping

import numpy as np

from trialwatt.printable import shown
from trialwatt.records.later import COLLECTED, INSTEAD
from trialwatt.records.repair import JUMP_NS
from trialwatt.review.plausible.run import LETTERS, USAGE, Fault, Rows, Run, key_fault, row_fault

DAY_NS = 86_400 * 10**9
SLACK_NS = 2 * 10**9
"""UTC is slewed and set during a run, and stamps are taken a moment before they are written."""
_APART = "farther apart than in the lines around, which no clock that was set explains"
_STEPS = 3
"""What a meter that is asked afterwards may give from before and after the run, in its steps."""


def faults(run: Run, now_ns: int) -> Iterator[Fault]:
    """now_ns: this moment, by the clock of the machine that verifies."""
    started, ended = run.manifest.get("started_utc_ns"), run.manifest.get("ended_utc_ns")
    if started is None or ended is None:
        yield key_fault("started_utc_ns and ended_utc_ns: a run writes both, one is missing")
        return
    if ended < started - _set_by(_drift(_own(run))):
        yield key_fault(f"ended_utc_ns is {_gap(started - ended)} before started_utc_ns")
    if ended > now_ns + DAY_NS:
        yield key_fault(
            f"ended_utc_ns is {_day(ended)}, in the future: by this machine's clock it is "
            f"{_day(now_ns)}"
        )
    yield from _published(run.action, started, ended)
    yield from _later(run.manifest, ended, now_ns)
    yield from _events(run, started, ended)
    yield from _samples(run, started, ended)


def _published(action: Mapping, started: int, ended: int) -> Iterator[Fault]:
    """An archive names the time of each run, and was published after the last of them."""
    for key, moment in (("startTime", started), ("endTime", ended)):
        named = action.get(key)
        if named is not None and named != _moment(moment):
            utc = "started_utc_ns" if key == "startTime" else "ended_utc_ns"
            yield key_fault(
                f"{utc} is {_moment(moment)}, but the archive says {shown(named, LETTERS)} of it"
            )
    published = action.get("datePublished")
    if _is_day(published) and _moment(ended)[:10] > published[:10]:
        yield key_fault(
            f"ended_utc_ns is {_day(ended)}, after the archive's own date, "
            f"{shown(published, LETTERS)}"
        )


def _later(manifest: Mapping, ended: int, now_ns: int) -> Iterator[Fault]:
    """What was added to a run came after its end."""
    collected = manifest.get(COLLECTED) or {}
    added = {f"{COLLECTED}.{meter}": facts for meter, facts in collected.items()}
    if instead := manifest.get(INSTEAD):
        added[INSTEAD] = instead
    for key, facts in added.items():
        if not ended <= facts["utc_ns"] <= now_ns + DAY_NS:
            yield key_fault(
                f"{shown(key, LETTERS)}.utc_ns is {_day(facts['utc_ns'])}, before the run's end or "
                "in the future"
            )


def _events(run: Run, started: int, ended: int) -> Iterator[Fault]:
    """The coordinator's events lie within the run, and its two clocks go together.

    Of the components only those of one machine are asked: others have clocks of their own.
    """
    first, last = run.records.window
    own = _own(run)
    drift = _drift(own)
    slack = SLACK_NS + _set_by(drift)
    for event in own:
        if not started - slack <= event["t"] <= ended + slack:
            yield _of_event(run, event, f"t is {_day(event['t'])}, outside of the run")
            break
    if not run.is_local:
        return
    for event in run.records.events:
        if not first - SLACK_NS <= event["m"] <= last + SLACK_NS:
            yield _of_event(run, event, "m is outside of the run's steps")
            break
    if (place := _excursion(drift)) is not None:
        away = int(drift[place] - drift[place - 1])
        yield _of_event(run, own[place], f"t and m are {_gap(away)} {_APART}")
    trials = run.records.trials
    for moments, status in ((trials.start_ns, "start"), (trials.end_ns + trials.cut_ns, "end")):
        outside = (moments < first - SLACK_NS) | (moments > last + SLACK_NS)
        if len(bad := np.flatnonzero(outside)):
            yield run.trial_fault(bad, status, "m is outside of the run's steps")
            break


def _own(run: Run) -> list[dict]:
    """The coordinator's events."""
    return [event for event in run.records.events if event["who"] == "harness"]


def _drift(events: list[dict]) -> np.ndarray:
    """UTC against the monotonic clock, ns."""
    return np.array([event["t"] - event["m"] for event in events], np.int64)


def _of_event(run: Run, event: dict, said: str) -> Fault:
    """m of an event is moved by its clock's offset: it is found by t."""
    file = run.record_of(event["who"])
    for number, line in run.lines(file):
        if line.get("t") == event["t"] and line.get("kind") == event["kind"]:
            return Fault(file, f"line {number}: {said}")
    return Fault(file, said)


def _set_by(drift: np.ndarray) -> int:
    """By how much UTC was set from the first to the last of these: what it was set back again
    does not count."""
    moved = abs(int(drift[-1] - drift[0])) if len(drift) else 0
    return moved if moved > JUMP_NS else 0


def _excursion(drift: np.ndarray) -> int | None:
    """The place where UTC leaves the monotonic clock to come back to it: nobody sets a clock so."""
    jumps = np.flatnonzero(np.abs(np.diff(drift)) > JUMP_NS)
    for away, back in itertools.pairwise(jumps.tolist()):
        if abs(int(drift[back + 1] - drift[away])) <= JUMP_NS:
            return away + 1
    return None


def _samples(run: Run, started: int, ended: int) -> Iterator[Fault]:
    """Samples are taken within the run; what is asked afterwards may be of some steps around."""
    tables: list[tuple[Rows | None, int]] = [(run.usage, SLACK_NS)]
    for meter, facts in sorted(run.meters.items()):
        step_s = (facts.get("parameters") or {}).get("step_s")
        slack = SLACK_NS + round(_STEPS * step_s * 1e9) if step_s else SLACK_NS
        tables.append((run.readings(meter), slack))
    for rows, slack in tables:
        if rows is None or not len(rows):
            continue
        own = slack + _set_by(rows.t - rows.m)
        outside = (rows.t < started - own) | (rows.t > ended + own)
        if len(bad := np.flatnonzero(outside)):
            yield row_fault(rows, bad, f"t is {_day(int(rows.t[bad[0]]))}, outside of the run")
        one = rows.of("machine") if rows.file == USAGE else rows
        if (place := _excursion(one.t - one.m)) is not None:
            away = int((one.t - one.m)[place] - (one.t - one.m)[place - 1])
            yield row_fault(one, np.array([place]), f"t and m are {_gap(away)} {_APART}")


def _is_day(text: object) -> bool:
    return isinstance(text, str) and bool(re.match(r"\d{4}-\d\d-\d\d", text))


def _gap(ns: int) -> str:
    return f"{ns / 1e9:.1f} s"


def _moment(utc_ns: int) -> str:
    """As the archive writes it; years that no calendar has are given as seconds."""
    try:
        moment = datetime.datetime.fromtimestamp(utc_ns // 10**9, datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return f"{utc_ns / 1e9:g} s after 1970"
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _day(utc_ns: int) -> str:
    return _moment(utc_ns).replace("T", " ").replace("+00:00", " UTC")
