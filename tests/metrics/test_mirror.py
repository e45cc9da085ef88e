"""A search for the least of the negated scores is the search for the greatest, in every metric."""

import json

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contexts import PLAIN

from trialwatt.metrics.extract import extract_run
from trialwatt.metrics.series import anytime

SCORES = ("best_score", "test_score", "goal_target")


def write(folder, whole, goal: dict, scores: list[float]) -> None:
    """The run's records with this goal and these scores of its trials, in turn."""
    turn = iter(scores * 20)
    for file, lines in whole.items():
        told = [json.loads(line) for line in lines]
        for event in told:
            if event["kind"] == "trial" and event.get("outcome") == "completed":
                event["scores"] = {goal["score"]: next(turn), "other": 0.5}
        text = "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in told)
        (folder / "records" / file).write_text(text)
    manifest = json.loads((folder / "run.json").read_text())
    sign = -1 if goal["direction"] == "minimize" else 1
    best, test = sign * max(sign * score for score in scores), {goal["score"]: sign * 0.97}
    manifest["config"]["workload"]["goal"] = goal
    manifest |= {"best": manifest.get("best") or {"phi": None}, "test": test}
    manifest["best"]["score"] = best
    (folder / "run.json").write_text(json.dumps(manifest))


def same(folder, whole, scores, target) -> None:
    up = {"score": "quality", "direction": "maximize", "target": target}
    write(folder, whole, up, scores)
    above, rising = extract_run(folder, PLAIN), anytime(folder)
    write(
        folder,
        whole,
        {"score": "loss", "direction": "minimize", "target": -target},
        [-s for s in scores],
    )
    below, falling = extract_run(folder, PLAIN), anytime(folder)
    assert (above.run["goal_direction"], above.run["goal_score"]) == ("maximize", "quality")
    assert (below.run["goal_direction"], below.run["goal_score"]) == ("minimize", "loss")
    mirrored = below.run | {name: -below.run[name] for name in SCORES}
    for name in above.run.keys() - {"goal_direction", "goal_score"}:
        alike = mirrored[name] == above.run[name]
        assert alike or (pd.isna(above.run[name]) and pd.isna(mirrored[name])), name
    trials = below.trials.assign(score=-below.trials["score"])
    pd.testing.assert_frame_equal(trials, above.trials)
    pd.testing.assert_frame_equal(falling.assign(score=-falling["score"]), rising)
    assert falling["score"].is_monotonic_decreasing
    assert above.run["goal_reached"] == (max(scores) >= target)


@pytest.fixture
def whole(run_folder):
    return {
        file.name: file.read_text().splitlines()
        for file in (run_folder / "records").glob("*.jsonl")
    }


FINITE = st.floats(-1e6, 1e6, allow_subnormal=False)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(FINITE, min_size=1, max_size=20), FINITE, st.booleans())
def test_negated_scores_searched_the_other_way_give_the_same_metrics(
    run_folder, whole, scores, target, known
):
    same(run_folder, whole, scores, max(scores) if known else target)
