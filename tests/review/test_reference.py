"""The committed reference results hold: everything of them is made again and is the same."""

from pathlib import Path

import pytest

from trialwatt.provenance import crate
from trialwatt.provenance.archivefile import plain_files
from trialwatt.provenance.trace import trace
from trialwatt.review.verdict import render_text
from trialwatt.review.verify import verify

REFERENCE = Path(__file__).resolve().parents[2] / "results" / "reference"
MOST_BYTES = 25 << 20

pytestmark = pytest.mark.skipif(
    not (REFERENCE / crate.NAME).is_file(), reason="results/reference has not been made"
)


def test_they_are_verified_with_all_claims_and_the_paper():
    verdict = verify(REFERENCE)
    assert verdict.ok, render_text(verdict)
    claims = [claim["id"] for claim in verdict.claims]
    assert {"baseline", "r-node", "s-pru", "H1", "H2", "paper"} <= set(claims)
    assert all(claim["expected"] and not claim["problems"] for claim in verdict.claims)
    assert verdict.counts["paper"]["of"] == 3


def test_they_are_small_and_say_what_they_cannot_say():
    assert sum((REFERENCE / name).stat().st_size for name in plain_files(REFERENCE)) <= MOST_BYTES
    text = (REFERENCE / "ARTIFACT.md").read_text(encoding="utf-8")
    assert "cannot decide it" in text and "Deviations from the base workload" in text


def test_the_picture_of_the_readme_is_of_their_records():
    root = REFERENCE.parents[1]
    found = trace(root / "docs/example/resource.png", REFERENCE / "results")
    records = [check for check in found.checks if check.part == "record"]
    assert sum(check.path == "samples.zst" for check in records) >= 12
    assert not found.problems
    assert {check.state for check in records} == {"agrees", "left out"}
    assert {check.path for check in records if check.state == "left out"} >= {"best.safetensors"}
