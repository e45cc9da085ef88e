"""What a verification says: no more than was checked, and what was not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from trialwatt.printable import printable

_LISTED = 40


@dataclass(frozen=True)
class Verdict:
    """What came of a verification: see review.examine.examine.

    checksums: SHA-256 → what it is of, to compare with what the authors published; none for a
    results folder. signature: a sentence; empty where there is none. notes: no faults.
    """

    place: str
    problems: Sequence[Mapping]
    counts: Mapping
    claims: Sequence[Mapping]
    rounding: Mapping = field(default_factory=lambda: {"files": 0, "values": 0, "greatest": 0.0})
    notes: Sequence[str] = ()
    checksums: Mapping[str, str] = field(default_factory=dict)
    signature: str = ""

    @property
    def ok(self) -> bool:
        return not self.problems


def render_text(verdict: Verdict) -> str:
    """What was checked, what is wrong, a line per claim, and how far all of that goes."""
    counts = verdict.counts
    lines = [
        verdict.place,
        f"  {counts['files']} files against their checksums, {counts['runs']} runs against their "
        f"manifests, the plan and what can be, {counts['configuration']} configuration files",
    ]
    again = [f"{name} {_said(of)}" for name, of in _made(counts)]
    if again:
        lines.append(
            "  energy and metrics from the raw samples, and all that follows, made again: "
            + ", ".join(again)
        )
    lines += [f"note: {note}" for note in verdict.notes[:_LISTED]]
    if len(verdict.notes) > _LISTED:
        lines.append(f"and {len(verdict.notes) - _LISTED} more notes (--json has all)")
    lines += [f"problem: {one['path']}: {one['said']}" for one in verdict.problems[:_LISTED]]
    if len(verdict.problems) > _LISTED:
        lines.append(f"and {len(verdict.problems) - _LISTED} more problems (--json has all)")
    lines.append("claims:")
    for claim in verdict.claims:
        state = (
            f"NOT REPRODUCED ({claim['problems']} problems)" if claim["problems"] else "reproduced"
        )
        expected = claim["expected"][0] if claim["expected"] else "no expected result"
        lines.append(f"  {claim['id']}: {state}: {expected}")
    if not verdict.claims:
        lines.append("  none could be made again")
    lines += _end(verdict)
    return printable(lines)


def _end(verdict: Verdict) -> Iterator[str]:
    """The last lines: what holds, and what nobody has looked at."""
    if not verdict.ok:
        yield f"NOT verified: {_count(len(verdict.problems), 'problem')}."
    else:
        files = sum(of["of"] for _, of in _made(verdict.counts))
        rounding = verdict.rounding
        exact = f"{files - rounding['files']} of {_count(files, 'file')} identical"
        if rounding["files"]:
            exact += f", {rounding['files']} equal up to rounding ({_values(rounding)})"
        yield (
            "Verified: complete, consistent in itself, plausible, and made again from its records: "
            f"{exact}."
        )
    yield (
        "Not checked: whether the records are genuine, which nothing inside of them can show."
        + ("" if verdict.checksums else " A results folder has no checksum of its own to compare.")
    )
    if verdict.checksums:
        yield "Compare with what the authors have published:"
        yield from (f"  SHA-256 {checksum}  {of}" for checksum, of in verdict.checksums.items())
    if verdict.signature:
        yield f"Signature: {verdict.signature}"


def _made(counts: Mapping) -> list[tuple[str, Mapping]]:
    return [(name, of) for name, of in counts.items() if isinstance(of, Mapping) and of["of"]]


def _said(of: Mapping) -> str:
    rounded = f", {of['rounded']} equal up to rounding" if of["rounded"] else ""
    return f"{of['identical']} of {of['of']} identical{rounded}"


def _values(rounding: Mapping) -> str:
    return (
        f"{_count(rounding['values'], 'value')}, greatest relative difference "
        f"{rounding['greatest']:.1e}"
        if rounding["values"]
        else "no value, only what is drawn of them or names them"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def render_json(verdict: Verdict) -> str:
    """The same for programs."""
    return json.dumps(asdict(verdict) | {"ok": verdict.ok}, indent=1, sort_keys=True)
