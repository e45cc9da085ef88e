"""What the manifests of finished runs say of the order in which they ran."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from trialwatt.config.blocks import SCOUTS, drawn
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


def check_blocks(results: Path, again: str = "") -> pd.DataFrame:
    """That the finished runs began as drawn: warm-ups, what was scouted, then block by block.

    again: in the name of a run that was removed from the last block but one, and made again at the
    end of it. Returns their history.
    """
    found = history(results)
    plan = Plan.model_validate_json((results / NAME).read_text())
    assert found.number.is_monotonic_increasing, found
    before, inside = found[found.number == 0], found[found.number > 0]
    kinds = [place.split("/")[0] for place in before.place]
    assert kinds == sorted(kinds, reverse=True) and set(kinds) <= {"warm-ups", "scouts"}
    scouted = before["last"][kinds.count("warm-ups") :]
    ahead = [f"runs/{plan.testbed_name}/{name}" for name in scouted]
    assert ahead == drawn(plan.seed, SCOUTS, ahead)
    for number, block in inside.groupby("number"):
        assert set(block["last"]) == {f"rep{number}"}
        order = drawn(plan.seed, number, block.place)
        assert list(block.position) == [order.index(place) + 1 for place in block.place]
        if again and number < inside.number.max():
            order.sort(key=lambda place: again in place)
        assert list(block.place) == order
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
