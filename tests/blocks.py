"""What the manifests of finished runs say of the order in which they ran."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from trialwatt.config.blocks import drawn
from trialwatt.config.plan import NAME, Plan


def history(results: Path) -> pd.DataFrame:
    """A row for each run, in the order of their starts: where it is, and where it stands."""
    rows = []
    for file in results.glob("*/*/**/run.json"):
        manifest = json.loads(file.read_text())
        place, _, last = file.parent.relative_to(results).as_posix().rpartition("/")
        row = {"place": place, "last": last, "sut": manifest["config"]["sut"]}
        row |= manifest["block"] or {"number": 0, "position": 0, "runs": 0, "plan": ""}
        rows.append(row | {"started": manifest["started_utc_ns"]})
    return pd.DataFrame(rows).sort_values("started", ignore_index=True)


def check_blocks(results: Path) -> pd.DataFrame:
    """That the finished runs began as drawn: warm-ups, then block by block. Their history."""
    found = history(results)
    plan = Plan.model_validate_json((results / NAME).read_text())
    assert found.number.is_monotonic_increasing, found
    before, inside = found[found.number == 0], found[found.number > 0]
    assert set(before.place) == {f"warm-ups/{plan.testbed_name}"}
    for number, block in inside.groupby("number"):
        assert set(block["last"]) == {f"rep{number}"}
        assert list(block.place) == drawn(plan.seed, number, block.place)
        assert list(block.position) == list(range(1, len(block) + 1))
        assert set(block.runs) == {len(block)}
        assert set(block.plan) == {plan.digest}
    return found


def chance_of_order(labels: Sequence, draws: int = 2000, seed: int = 1) -> float:
    """p-value that labels are no more sorted by their place than in a random order.

    The statistic is the variance between the labels' mean places; the order is permuted.
    """
    codes = pd.factorize(np.asarray(labels))[0]
    counts = np.bincount(codes)
    orders = np.random.default_rng(seed).permuted(
        np.tile(np.arange(len(codes)), (draws, 1)), axis=1
    )
    orders[0] = np.arange(len(codes))
    means = np.stack([orders[:, codes == code].mean(axis=1) for code in range(len(counts))], 1)
    between = (counts * (means - (len(codes) - 1) / 2) ** 2).sum(axis=1)
    return float((between >= between[0] * (1 - 1e-12)).mean())
