"""Results that were made on one processor are verified on another, which rounds last digits
otherwise."""

import csv
import json
import platform
import re

import pytest

from trialwatt.files import sha256
from trialwatt.review.verdict import render_text
from trialwatt.review.verify import verify

TABLE = "results/tables/more-cpu.csv"


def features() -> list[str]:
    """What numpy chooses its loops by, as far as this processor has it."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    return [name for name in __cpu_dispatch__ if __cpu_features__.get(name)]


def test_an_archive_of_another_processor(archive_of_another_processor, archive):
    verdict = verify(archive_of_another_processor)
    text = render_text(verdict)
    assert verdict.ok, text
    assert not any(claim["problems"] for claim in verdict.claims)
    assert "Verified: " in text and "equal up to rounding (" in text
    assert verdict.rounding["values"] > 0 and 0 < verdict.rounding["greatest"] < 1e-12
    for part in ("metrics", "figures", "tables", "report", "page", "paper"):
        of = verdict.counts[part]
        assert of["rounded"] and of["identical"] + of["rounded"] == of["of"], part
    of = verdict.counts["figures"]
    assert f"figures {of['identical']} of {of['of']} identical, " in text


def test_an_archive_on_another_processor(archive, monkeypatch):
    """As far as a processor can be told to be an older one: numpy's loops, and those of BLAS."""
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", " ".join(features()))
    if platform.machine() == "x86_64":
        monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    verdict = verify(archive)
    assert verdict.ok, render_text(verdict)


@pytest.mark.parametrize("name", [TABLE, "results/metrics/more-cpu/runs.csv"])
def test_one_changed_digit_in_the_ninth_place_is_found(unpacked, name):
    file = unpacked / name
    with file.open(newline="") as lines:
        rows = list(csv.reader(lines))
    long = re.compile(r"0?\.?0*[1-9](\.?\d){12,}(e-?\d+)?")
    column = next(
        n for n, cell in enumerate(rows[1]) if "kwh" in rows[0][n] and long.fullmatch(cell)
    )
    cell = rows[1][column]
    ninth = [n for n, c in enumerate(cell) if c.isdigit() and cell[: n + 1].strip("0.")][8]
    digit = "4" if cell[ninth] != "4" else "5"
    rows[1][column] = cell[:ninth] + digit + cell[ninth + 1 :]
    with file.open("w", newline="") as lines:
        csv.writer(lines, lineterminator="\n").writerows(rows)
    sidecar = file.with_suffix(".json")
    if sidecar.is_file():
        content = json.loads(sidecar.read_text())
        content["outputs"][file.name] = sha256(file)
        sidecar.write_text(json.dumps(content, sort_keys=True, indent=1) + "\n")
    unpacked.relist()
    verdict = verify(unpacked.folder)
    found = {one["path"]: one["said"] for one in verdict.problems}
    assert f"column {rows[0][column]}" in found[name]
