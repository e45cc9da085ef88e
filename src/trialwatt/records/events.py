"""Event files (JSON lines) → columns, chunk by chunk, so that a million trials fit in memory.

The lines of trials, written by our own worker, have a known shape and are scanned without Python
code per line. Every other line, and every line that is anything but that shape, is parsed as JSON
by itself: slower, with the same result.
"""

from __future__ import annotations

import io
import itertools
import json
import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trialwatt.errors import TrialwattError
from trialwatt.provenance.jsontext import NotOurs, parse_json
from trialwatt.records import repair
from trialwatt.records.manifest import MOST_NS
from trialwatt.records.scan import Scanner
from trialwatt.records.sealed import RecordFile
from trialwatt.records.trial_keys import TrialKeys, moved

_CHUNK_BYTES = 2 << 20
"""Read and scanned at once: small enough for the processor's caches."""
_PART_BYTES = 64 << 20
"""Given to a process at once."""
_MOST_OF_A_LINE = 1 << 20
_WORTH_A_PROCESS = 4
_WORTH_A_SCAN = 500
"""Fewer lines are parsed one by one in the time that a scan takes to begin."""

EVENTS_SUFFIX = ".jsonl"

STATUSES = ("start", "step", "end")
STEPS = ("import", "load", "train", "validate")
OUTCOMES = ("completed", "pruned", "failed", "paused")
START, STEP, END = range(3)
NO_STEP = NO_TRIAL = -1
_JSON_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9][0-9]?)?"
_LONG_NUMBER = "[0-9]{19}"
_JSON_SCORE = rf'"[^"]*":{_JSON_NUMBER}'
_NO_VALUE = (ValueError, TypeError, KeyError, AttributeError, OverflowError)


Line = dict[str, Any]
"""An event as its line says it."""


@dataclass(frozen=True)
class Reading:
    """What the reader must know: whose lines these are, and which score is the goal's."""

    run_id: str
    score: str


@dataclass
class TrialLines:
    """Trial lines as columns; a key stands for a trial's id (see TrialKeys).

    Every line (r,): m, key, status, step (indices into STATUSES and STEPS, or −1), cpu_ns (NaN
    where missing). Lines with status start (s,), in order: who (code of TrialKeys.base), number
    (−1: none), phi (JSON as written), resumes (key of the trial that it goes on with, NO_TRIAL:
    none), from_epoch (that it goes on after). Lines with status end (e,): outcome (index into
    OUTCOMES), reason, epochs, score (NaN: none). Lines of epochs (p,): epoch_key, epoch.
    """

    m: np.ndarray
    key: np.ndarray
    status: np.ndarray
    step: np.ndarray
    cpu_ns: np.ndarray
    who: np.ndarray
    number: np.ndarray
    phi: pa.ChunkedArray
    resumes: np.ndarray
    from_epoch: np.ndarray
    outcome: np.ndarray
    reason: pa.ChunkedArray
    epochs: np.ndarray
    score: np.ndarray
    epoch_key: np.ndarray
    epoch: np.ndarray


@dataclass
class Events:
    """The events of one file, at the times of the file (`m`, without any offset)."""

    trials: TrialLines
    others: list[Line]
    last_m: int | None
    utc_minus_mono: int | None  # of the first line
    utc_span: tuple[int, int] | None  # the least and the greatest of it
    notes: list[str]


@dataclass(frozen=True)
class _Clocks:
    """t − m: of the first line, least, greatest; m: of the first line, greatest; and whether m
    never goes back."""

    t_minus_m: tuple[int, int, int]
    m_span: tuple[int, int]
    ordered: bool


@dataclass
class _Chunk:
    """The events of a part of a file."""

    trials: TrialLines
    others: list[Line]
    clocks: _Clocks | None  # None where no line can be read
    broken: list[int]  # line numbers within the part
    lines: int


def read_events(
    files: list[RecordFile], reading: Reading, keys: TrialKeys, processes: int = 1
) -> dict[str, Events]:
    """Read event files; component → events. Adds the trials' names to `keys`.

    Raises TrialwattError where lines are of another run, lack what every line has, or where a
    file is damaged beyond a cut line. Repairs are in `notes`.
    """
    spans = [(file, start) for file in files for start in _part_starts(file)]
    found: dict[str, list[_Chunk]] = {file.name: [] for file in files}
    work = partial(_read_part, reading=reading)
    if processes == 1 or len(spans) < _WORTH_A_PROCESS:
        parts = map(work, spans)
        for (file, _), (chunk, names) in zip(spans, parts, strict=True):
            found[file.name].append(_renamed(chunk, keys.codes_of(names)))
    else:
        # fork: the script that called us is no module, so a spawned process could not import it.
        with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
            for (file, _), (chunk, names) in zip(spans, pool.map(work, spans), strict=True):
                found[file.name].append(_renamed(chunk, keys.codes_of(names)))
    return {_component(name): _events(name, chunks) for name, chunks in found.items()}


def _component(name: str) -> str:
    return name.removesuffix(EVENTS_SUFFIX)


def _events(name: str, chunks: list[_Chunk]) -> Events:
    where, whole = f"records/{name}", _one_after_the_other(chunks)
    notes: list[str] = []
    if repair.too_broken(len(whole.broken), whole.lines):
        raise repair.refuse_rubbish(where, len(whole.broken), whole.lines)
    if whole.broken:
        notes.append(repair.cut_note(where, whole.broken))
    clocks = whole.clocks
    if clocks and not clocks.ordered:
        notes.append(repair.order_note(where))
    if clocks and repair.clock_jumped(clocks.t_minus_m[1:]):
        notes.append(repair.jump_note(where))
    return Events(
        trials=whole.trials,
        others=whole.others,
        last_m=clocks.m_span[1] if clocks else None,
        utc_minus_mono=clocks.t_minus_m[0] if clocks else None,
        utc_span=clocks.t_minus_m[1:] if clocks else None,
        notes=notes,
    )


def _one_after_the_other(chunks: list[_Chunk]) -> _Chunk:
    before = itertools.accumulate((chunk.lines for chunk in chunks), initial=0)
    return _Chunk(
        trials=joined([chunk.trials for chunk in chunks]),
        others=[event for chunk in chunks for event in chunk.others],
        clocks=_clocks_of_all([chunk.clocks for chunk in chunks if chunk.clocks]),
        broken=[n + line for n, c in zip(before, chunks, strict=False) for line in c.broken],
        lines=sum(chunk.lines for chunk in chunks),
    )


def _clocks_of_all(parts: list[_Clocks]) -> _Clocks | None:
    if not parts:
        return None
    drifts = [drift for part in parts for drift in part.t_minus_m]
    meet = all(a.m_span[1] <= b.m_span[0] for a, b in itertools.pairwise(parts))
    return _Clocks(
        (drifts[0], min(drifts), max(drifts)),
        (parts[0].m_span[0], max(part.m_span[1] for part in parts)),
        meet and all(part.ordered for part in parts),
    )


def joined(parts: list[TrialLines]) -> TrialLines:
    """One after the other."""
    parts = parts or [_woven([_from_dicts([], [], Reading("", ""), TrialKeys())])]
    columns = {}
    for name in TrialLines.__dataclass_fields__:
        values = [getattr(part, name) for part in parts]
        if isinstance(values[0], pa.ChunkedArray):
            columns[name] = pa.chunked_array([c for v in values for c in v.chunks], pa.string())
        else:
            columns[name] = np.concatenate(values)
    return TrialLines(**columns)


def _part_starts(record: RecordFile) -> range:
    with record.open("rb") as file:
        return range(0, max(1, file.seek(0, io.SEEK_END)), _PART_BYTES)


def _read_part(span: tuple[RecordFile, int], reading: Reading) -> tuple[_Chunk, list[str]]:
    """The lines that begin in one part of a file, and the names of their trials' keys."""
    record, start = span
    who, where = _component(record.name), f"records/{record.name}"
    keys = TrialKeys()
    chunks = []
    with record.open("rb") as file:
        if start:
            file.seek(start - 1)
            file.readline()  # the rest of a line that began before
        while (left := start + _PART_BYTES - file.tell()) > 0:
            block = file.read(min(_CHUNK_BYTES, left))
            if not block:
                break
            if not block.endswith(b"\n"):
                block += file.readline(_MOST_OF_A_LINE)
            if not block.endswith(b"\n") and file.read(1):
                raise TrialwattError(
                    f"{where}: has a line of more than {_MOST_OF_A_LINE:,} bytes; "
                    "this is not a record file: take it from its source again"
                )
            chunks.append(_parse(block, reading, keys, who, where))
    return _one_after_the_other(chunks), keys.names


def _renamed(chunk: _Chunk, codes: np.ndarray) -> _Chunk:
    """With the keys of another TrialKeys, given its codes of this one's names."""
    if not np.array_equal(codes, np.arange(len(codes))):
        trials = chunk.trials
        trials.key = moved(trials.key, codes)
        trials.who = moved(trials.who, codes)
        trials.epoch_key = moved(trials.epoch_key, codes)
        goes_on = trials.resumes != NO_TRIAL
        trials.resumes[goes_on] = moved(trials.resumes[goes_on], codes)
    return chunk


# --- a chunk --------------------------------------------------------------------------------------


def _parse(data: bytes, reading: Reading, keys: TrialKeys, who: str, where: str) -> _Chunk:
    scanner = Scanner(data)
    count, scanned = len(scanner.starts), []
    t, m, taken = np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, bool)
    if count >= _WORTH_A_SCAN:
        t, m, shaped, after = _heads(scanner, reading.run_id, who)
        shaped &= scanner.are_plain() & _is_text(data)  # any other is looked at by itself
        for group in (_epochs, _starts, _steps, _ends):
            mine = np.flatnonzero(shaped & ~taken)
            part, ok = group(scanner, mine, after[mine], m, who, reading, keys)
            taken[mine[ok]] = True
            scanned.append(part)
    events, numbers, broken = _slowly(scanner, np.flatnonzero(~taken), reading.run_id, where)
    t[numbers] = [e["t"] for e in events]
    m[numbers] = [e["m"] for e in events]
    known = taken
    known[numbers] = True
    pairs = zip(numbers, events, strict=True)
    own = [(n, e) for n, e in pairs if e["kind"] in ("trial", "epoch")]
    try:
        slow = _from_dicts([n for n, _ in own], [e for _, e in own], reading, keys)
    except (*_NO_VALUE, pa.ArrowException) as error:
        raise TrialwattError(
            f"{where}: a trial's line lacks a value or has it in another type: {error!r}"
        ) from error
    return _Chunk(
        trials=_woven([*scanned, slow]),
        others=[e for e in events if e["kind"] not in ("trial", "epoch")],
        clocks=_clocks(t[known], m[known]),
        broken=[line + 1 for line in broken],
        lines=len(t),
    )


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _clocks(t: np.ndarray, m: np.ndarray) -> _Clocks | None:
    if not len(m):
        return None
    drift = t - m
    return _Clocks(
        (int(drift[0]), int(drift.min()), int(drift.max())),
        (int(m[0]), int(m.max())),
        repair.in_time_order(m),
    )


class _Part(dict[str, Any]):
    """Columns of TrialLines, with the line numbers (`at`, `start_at`, `end_at`) they come from."""


def _heads(scanner: Scanner, run_id: str, who: str) -> tuple[np.ndarray, ...]:
    """t and m of each line, which have the head that we write, and what follows it."""
    at = scanner.starts
    shaped = scanner.is_at(at, b'{"t":')
    t, at = scanner.digits(at + 5)
    shaped &= (t >= 0) & scanner.is_at(at, b',"m":')
    m, at = scanner.digits(at + 5)
    text = f',"run":{json.dumps(run_id)},"who":{json.dumps(who)},"kind":"'.encode()
    shaped &= scanner.is_at(at, text)
    shaped &= (t <= 2 * MOST_NS) & (m >= 0) & (m <= MOST_NS)
    return t, m, shaped, at + len(text)


def _ids(scanner: Scanner, at: np.ndarray, kind: str, who: str) -> tuple[np.ndarray, ...]:
    """Lines of a kind whose trial is who/number: which, the number, and what follows."""
    text = f'{kind}","trial":"{who}/'.encode()
    ok = scanner.is_at(at, text)
    number, at = scanner.digits(at + len(text))
    return ok & (number >= 0) & (number < 2**31), number, at


def _closed(scanner: Scanner, lines: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Which lines end with a brace at `at`."""
    return scanner.is_at(at, b"}") & (at + 1 == scanner.ends[lines])


def _epochs(
    scanner: Scanner,
    lines: np.ndarray,
    at: np.ndarray,
    m: np.ndarray,
    who: str,
    reading: Reading,
    keys: TrialKeys,
) -> tuple[_Part, np.ndarray]:
    ok, number, at = _ids(scanner, at, "epoch", who)
    ok &= scanner.is_at(at, b'","epoch":')
    lines, at, number, kept = _kept(ok, lines, at + 10, number)
    epoch, at = scanner.digits(at)
    ok = (epoch >= 0) & scanner.is_at(at, b',"scores":{')
    end = scanner.until(at, b"}") + 1
    counted = scanner.is_at(end, b',"cpu_ns":')  # not in older records
    cpu, after = scanner.digits(end + 10)
    ok &= _closed(scanner, lines, np.where(counted, after, end)) & (~counted | (cpu >= 0))
    part = _Part(epoch_key=keys.base(who) + number[ok], epoch=epoch[ok])
    return part, kept[ok]


def _starts(
    scanner: Scanner,
    lines: np.ndarray,
    at: np.ndarray,
    m: np.ndarray,
    who: str,
    reading: Reading,
    keys: TrialKeys,
) -> tuple[_Part, np.ndarray]:
    lines, number, cpu, at, kept = _counted(scanner, lines, at, who, b',"status":"start","step":"')
    step, at = scanner.choice(at, STEPS, b'","phi":{')
    phi = at - 1
    end = scanner.until(phi, b"}") + 1
    ok = (step >= 0) & scanner.is_at(end, b',"number":')
    own, at = scanner.digits(end + 10)
    ok &= (own >= 0) & scanner.is_at(at, b',"seed":')
    seed, at = scanner.digits(at + 8)
    ok &= (seed >= 0) & _closed(scanner, lines, at)
    base = keys.base(who)
    part = _Part(
        at=lines[ok],
        start_at=lines[ok],
        m=m[lines[ok]],
        key=base + number[ok],
        status=np.full(ok.sum(), START, np.int8),
        step=step[ok],
        cpu_ns=cpu[ok].astype(float),
        who=np.full(ok.sum(), base, np.int64),
        number=own[ok],
        phi=scanner.texts(phi[ok], end[ok]),
        resumes=np.full(ok.sum(), NO_TRIAL, np.int64),  # one that goes on is read by itself
        from_epoch=np.zeros(ok.sum(), np.int64),
    )
    return part, kept[ok]


def _steps(
    scanner: Scanner,
    lines: np.ndarray,
    at: np.ndarray,
    m: np.ndarray,
    who: str,
    reading: Reading,
    keys: TrialKeys,
) -> tuple[_Part, np.ndarray]:
    ok, number, at = _ids(scanner, at, "trial", who)
    text = b'","status":"step","step":"'
    ok &= scanner.is_at(at, text)
    lines, at, number, kept = _kept(ok, lines, at + len(text), number)
    step, at = scanner.choice(at, STEPS, b'","cpu_ns":')
    cpu, at = scanner.digits(at)
    ok = (step >= 0) & (cpu >= 0) & _closed(scanner, lines, at)
    part = _Part(
        at=lines[ok],
        m=m[lines[ok]],
        key=keys.base(who) + number[ok],
        status=np.full(ok.sum(), STEP, np.int8),
        step=step[ok],
        cpu_ns=cpu[ok].astype(float),
    )
    return part, kept[ok]


def _ends(
    scanner: Scanner,
    lines: np.ndarray,
    at: np.ndarray,
    m: np.ndarray,
    who: str,
    reading: Reading,
    keys: TrialKeys,
) -> tuple[_Part, np.ndarray]:
    lines, number, cpu, at, kept = _counted(scanner, lines, at, who, b',"status":"end","outcome":"')
    outcome, at = scanner.choice(at, OUTCOMES, b'","reason":"')
    reason, reason_end = at, scanner.until(at, b'"')
    ok = (outcome >= 0) & scanner.is_at(reason_end, b'","detail":"')
    at = scanner.until(reason_end + 12, b'"')
    ok &= scanner.is_at(at, b'","scores":{')
    scores, at = at + 12, scanner.until(at, b"}")
    ok &= scanner.is_at(at, b'},"epochs":')
    scores_end = at
    epochs, at = scanner.digits(at + 11)
    ok &= (epochs >= 0) & _closed(scanner, lines, at)
    texts = scanner.texts(scores, np.where(ok, scores_end, scores))
    score, read = _scores(texts, reading.score)
    ok &= read
    part = _Part(
        at=lines[ok],
        end_at=lines[ok],
        m=m[lines[ok]],
        key=keys.base(who) + number[ok],
        status=np.full(ok.sum(), END, np.int8),
        step=np.full(ok.sum(), NO_STEP, np.int8),
        cpu_ns=cpu[ok].astype(float),
        outcome=outcome[ok],
        reason=scanner.texts(reason[ok], reason_end[ok]),
        epochs=epochs[ok],
        score=score[ok],
    )
    return part, kept[ok]


def _counted(
    scanner: Scanner, lines: np.ndarray, at: np.ndarray, who: str, text: bytes
) -> tuple[np.ndarray, ...]:
    """Trial lines whose CPU counter comes first, then `text`: their number, counter, and rest."""
    ok, number, at = _ids(scanner, at, "trial", who)
    ok &= scanner.is_at(at, b'","cpu_ns":')
    lines, at, number, kept = _kept(ok, lines, at + 11, number)
    cpu, at = scanner.digits(at)
    ok = (cpu >= 0) & scanner.is_at(at, text)
    lines, at, number, again = _kept(ok, lines, at + len(text), number)
    return lines, number, cpu[again], at, kept[again]


def _kept(ok: np.ndarray, *columns: np.ndarray) -> tuple[np.ndarray, ...]:
    """The columns where ok, and the indices of those."""
    kept = np.flatnonzero(ok)
    return *(column[kept] for column in columns), kept


def _scores(texts: pa.Array, score: str) -> tuple[np.ndarray, np.ndarray]:
    """The goal's score out of the insides of JSON objects, NaN where it is not in there; and which
    of them hold numbers alone, and this one once."""
    ok = pc.match_substring_regex(texts, rf"^(?:{_JSON_SCORE}(?:,{_JSON_SCORE})*)?$")
    ok = pc.and_not(ok, pc.match_substring_regex(texts, _LONG_NUMBER))
    ok = pc.and_(ok, pc.less_equal(pc.count_substring(texts, f'"{score}":'), 1))
    pattern = f'(?:^|,)"{score}":(?P<score>{_JSON_NUMBER})(?:,|$)'
    found = pc.struct_field(pc.extract_regex(texts, pattern), "score")
    values = np.array(pc.fill_null(pc.cast(found, pa.float64()), np.nan))
    return values, np.array(ok)


def _slowly(
    scanner: Scanner, lines: np.ndarray, run_id: str, where: str
) -> tuple[list[Line], list[int], list[int]]:
    """The events of these lines and their line numbers, and the lines that cannot be read."""
    events: list[Line] = []
    numbers: list[int] = []
    broken: list[int] = []
    for number in lines.tolist():
        line = scanner.line(number)
        if not line.strip():
            continue
        try:
            event = parse_json(line)
        except NotOurs as error:
            raise TrialwattError(
                f"{where}: a line holds what no record does: {error}; this is not a record file, "
                "or it was changed: take it from its source again"
            ) from error
        except ValueError:
            broken.append(number)
            continue
        if not isinstance(event, dict) or not _has_head(event):
            raise TrialwattError(
                f"{where}: a line lacks t, m, run, who or kind, or has them in another type: "
                f"{line[:120].decode(errors='replace')}"
            )
        if event["run"] != run_id:
            raise repair.refuse_foreign(where, event["run"], run_id)
        events.append(event)
        numbers.append(number)
    return events, numbers, broken


def _has_head(event: Line) -> bool:
    get = event.get  # no loop: this is asked of every line of a small file
    t, m = get("t"), get("m")
    return (
        type(t) is int
        and 0 <= t <= 2 * MOST_NS
        and type(m) is int
        and -MOST_NS <= m <= MOST_NS
        and isinstance(get("run"), str)
        and isinstance(get("who"), str)
        and isinstance(get("kind"), str)
    )


def _from_dicts(lines: list[int], events: list[Line], reading: Reading, keys: TrialKeys) -> _Part:
    """The same columns from events that were parsed one by one."""
    pairs = list(zip(lines, events, strict=True))
    rows = [(n, e) for n, e in pairs if e["kind"] == "trial"]
    starts = [(n, e) for n, e in rows if e["status"] == "start"]
    ends = [(n, e) for n, e in rows if e["status"] == "end"]
    epochs = [e for _, e in pairs if e["kind"] == "epoch"]
    key = keys.key
    return _Part(
        at=np.array([n for n, _ in rows], np.int64),
        m=np.array([e["m"] for _, e in rows], np.int64),
        key=np.array([key(e["trial"]) for _, e in rows], np.int64),
        status=np.array([STATUSES.index(e["status"]) for _, e in rows], np.int8),
        step=np.array([_step(e) for _, e in rows], np.int8),
        cpu_ns=np.array([_real(e.get("cpu_ns")) for _, e in rows], float),
        start_at=np.array([n for n, _ in starts], np.int64),
        who=np.array([keys.base(e["who"]) for _, e in starts], np.int64),
        number=np.array([_number(e.get("number")) for _, e in starts], np.int64),
        phi=pa.array([json.dumps(_phi(e.get("phi"))) for _, e in starts], pa.string()),
        resumes=np.array([_resumes(e, keys) for _, e in starts], np.int64),
        from_epoch=np.array([_whole(e.get("from_epoch", 0)) for _, e in starts], np.int64),
        end_at=np.array([n for n, _ in ends], np.int64),
        outcome=np.array([OUTCOMES.index(e["outcome"]) for _, e in ends], np.int8),
        reason=pa.array([e.get("reason") or "" for _, e in ends], pa.string()),
        epochs=np.array([_whole(e.get("epochs") or 0) for _, e in ends], np.int64),
        score=np.array([_real((e.get("scores") or {}).get(reading.score)) for _, e in ends], float),
        epoch_key=np.array([key(e["trial"]) for e in epochs], np.int64),
        epoch=np.array([_whole(e["epoch"]) for e in epochs], np.int64),
    )


def _step(event: Line) -> int:
    return NO_STEP if event["status"] == "end" else STEPS.index(event["step"])


def _resumes(event: Line, keys: TrialKeys) -> int:
    return keys.key(event["resumes"]) if "resumes" in event else NO_TRIAL


def _real(value: Any) -> float:
    if value is not None and not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return np.nan if value is None else float(value)


def _number(value: Any) -> int:
    return -1 if value is None else _whole(value)


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is no whole number")
    return value


def _phi(value: Any) -> dict[str, Any]:
    values = (value or {}).values()
    if not all(isinstance(each, str | int) or _is_finite(each) for each in values):
        raise TypeError(f"{value!r} is no choice of hyperparameters")
    return value or {}


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _woven(parts: list[_Part]) -> TrialLines:
    """The parts' rows in the order of their lines."""

    def column(name: str, order: np.ndarray | None) -> Any:
        values = [part[name] for part in parts if name in part]
        if isinstance(values[0], pa.Array):
            whole = pa.concat_arrays(values)
            return pa.chunked_array([whole if order is None else whole.take(pa.array(order))])
        whole = np.concatenate(values)
        return whole if order is None else whole[order]

    def order(name: str) -> np.ndarray | None:
        lines = np.concatenate([part[name] for part in parts if name in part])
        return None if repair.in_time_order(lines) else np.argsort(lines, kind="stable")

    rows, starts, ends = order("at"), order("start_at"), order("end_at")
    orders = {
        **dict.fromkeys(("m", "key", "status", "step", "cpu_ns"), rows),
        **dict.fromkeys(("who", "number", "phi", "resumes", "from_epoch"), starts),
        **dict.fromkeys(("outcome", "reason", "epochs", "score"), ends),
        **dict.fromkeys(("epoch_key", "epoch")),
    }
    return TrialLines(**{name: column(name, by) for name, by in orders.items()})
