"""What is scanned, and what is read line by line, is the same."""

import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from trialwatt.config.models import Space
from trialwatt.errors import TrialwattError
from trialwatt.records import events
from trialwatt.records.phi import encode_phis
from trialwatt.records.trial_keys import TrialKeys

READING = events.Reading("run-1", "macro_f1")
SPACE = TypeAdapter(Space).validate_python(
    {
        "lr": {"low": 1e-6, "high": 1.0, "log": True},
        "ls": {"low": 1, "high": 512},
        "act": {"choices": ["relu", "a{b}", 'c"d', "é"]},
    }
)
EVERY_ROW = ("m", "status", "step", "cpu_ns", "number", "outcome", "epochs", "score")

WORDS = st.sampled_from(["", "lost", 'the "end"', "a\\b", "é€😀", "}", "a,b", "line\nbreak"])
REALS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.5, 1e-6, -0.0, 1e300])
COUNTS = st.integers(0, 2**63 - 1) | st.integers(0, 100)
SCORES = st.dictionaries(st.sampled_from(["macro_f1", "accuracy", "é", "a b"]), REALS)
PHI = st.fixed_dictionaries(
    {},
    optional={
        "lr": REALS | st.integers(0, 9),
        "ls": st.integers(1, 512) | st.just(16.0),
        "act": st.sampled_from(SPACE["act"].choices),
    },
)
STEP = st.sampled_from(events.STEPS)
SPELLINGS = st.sampled_from(
    [
        {"separators": (",", ":")},
        {"separators": (",", ":")},
        {"separators": (",", ":"), "ensure_ascii": False},
        {"separators": (",", ":"), "sort_keys": True},
        {},
        {"separators": (" ,\t", " : ")},
    ]
)


def optional(**keys):
    return st.fixed_dictionaries({}, optional=keys)


@st.composite
def line(draw):
    """A line that a worker could write, in the spelling of some writer of JSON."""
    number = draw(st.integers(0, 12))
    head = {
        "t": draw(st.integers(1, 10**18)),
        "m": draw(st.integers(-(10**6), 10**15)),
        "run": "run-1",
        "who": draw(st.sampled_from(["worker-0"] * 9 + ["worker-1"])),
    }
    trial = draw(st.sampled_from([f"worker-0/{number}"] * 9 + [f"worker-0/0{number}", "x/y/3"]))
    kind = draw(st.sampled_from(["start", "step", "end", "epoch", "note"]))
    cpu = draw(optional(cpu_ns=COUNTS | st.none()))
    if kind == "note":
        event = {**head, "kind": "note", "text": draw(WORDS)}
    elif kind == "epoch":
        event = {**head, "kind": "epoch", "trial": trial, "epoch": draw(COUNTS)}
        event |= {"scores": draw(SCORES)} | cpu
    elif kind == "start":
        event = {**head, "kind": "trial", "trial": trial, **cpu, "status": "start"}
        event |= {"step": draw(STEP), "phi": draw(PHI)}
        event |= {"number": draw(COUNTS), "seed": draw(COUNTS)}
    elif kind == "step":
        event = {**head, "kind": "trial", "trial": trial, "status": "step", "step": draw(STEP)}
        event |= cpu
    else:
        event = {**head, "kind": "trial", "trial": trial, **cpu, "status": "end"}
        event |= {"outcome": draw(st.sampled_from(events.OUTCOMES)), "reason": draw(WORDS)}
        event |= {"detail": draw(WORDS), "scores": draw(SCORES), "epochs": draw(COUNTS)}
    return json.dumps(event, **draw(SPELLINGS))


def read(path: Path, scanned: bool):
    """The events, as values that can be compared; or the words of a refusal."""
    keys, before = TrialKeys(), events._WORTH_A_SCAN
    events._WORTH_A_SCAN = 0 if scanned else 10**9
    try:
        found = events.read_events([path], READING, keys)[path.stem]
        codes, phis = encode_phis(found.trials.phi, SPACE)
    except TrialwattError as error:
        return str(error)
    finally:
        events._WORTH_A_SCAN = before
    lines = found.trials
    epochs = zip(keys.ids(lines.epoch_key).to_pylist(), lines.epoch.tolist(), strict=True)
    return {
        **{name: [repr(v) for v in getattr(lines, name).tolist()] for name in EVERY_ROW},
        "trial": keys.ids(lines.key).to_pylist(),
        "who": [keys.name(base) for base in lines.who.tolist()],
        "phi": phis.take(pa.array(codes)).to_pylist(),
        "reason": lines.reason.to_pylist(),
        "epochs of trials": sorted(epochs),
        "others": found.others,
        "clocks": (found.last_m, found.utc_minus_mono),
        "notes": found.notes,
    }


def assert_same(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "worker-0.jsonl"
        path.write_bytes(text)
        scanned, parsed = read(path, scanned=True), read(path, scanned=False)
        both_refused = isinstance(scanned, str) and isinstance(parsed, str)
        assert both_refused or scanned == parsed


@settings(deadline=None, max_examples=60)
@given(st.lists(line(), max_size=8))
def test_a_scan_and_json_give_the_same_events(lines):
    assert_same("".join(f"{each}\n" for each in lines).encode())


HEAD = '{"t":5,"m":5,"run":"run-1","who":"worker-0","kind":"trial","trial":"worker-0/0",'
START = (
    HEAD + '"cpu_ns":1,"status":"start","step":"load","phi":{"lr":0.5,"ls":1},"number":0,"seed":0}'
)
END = (
    HEAD + '"cpu_ns":1,"status":"end","outcome":"completed","reason":"x","detail":"",'
    '"scores":{"macro_f1":0.5,"accuracy":0.25},"epochs":1}'
)


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        (END, '"x"', '"a\\\\b"'),
        (END, '"x"', '"\\u0041"'),
        (END, '"x"', '"\x01"'),
        (END, "0.25", "0.25,"),
        (END, "0.25", "007"),
        (END, "0.5", "1e999"),
        (END, "0.5", "NaN"),
        (END, "accuracy", "macro_f1"),
        (END, '"accuracy":0.25', '"accuracy":' + "9" * 25),
        (END, '"epochs":1', '"epochs":01'),
        (START, '"cpu_ns":1', '"cpu_ns":007'),
        (START, '"lr":0.5', '"lr":[0.5]'),
        (START, '"lr":0.5', '"lr":null'),
        (START, '"lr":0.5', '"lr":NaN'),
        (START, '"ls":1', '"lr":1'),
    ],
)
def test_a_line_that_is_nearly_ours_is_scanned_as_json_reads_it(line, old, new):
    assert old in line
    assert_same("".join(f"{each.replace(old, new)}\n" for each in (START, END)).encode())
