"""A table of real runs: every row is a part of the records' trials, and all parts add up."""

import json

import numpy as np
import pandas as pd
import pytest
from benchmarks.synthetic_table import CONTEXT

from trialwatt.errors import TrialwattError
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.metrics.context import MetricsContext
from trialwatt.metrics.extract import extract_run
from trialwatt.replay.measured import table_of


def test_every_epoch_of_every_trial_is_a_row(measured):
    frame = measured.frame
    assert not measured.holes
    assert list(measured.seeds) == [1, 2]
    assert len(frame) == 4 * 2 * (1 + 3)
    assert sorted(frame["phi"].unique()) == sorted(measured.phis)
    assert set(measured.scores) == {"macro_f1", "accuracy"}
    assert frame.loc[frame["epoch"] > 0, "score.macro_f1"].between(0, 1).all()
    assert frame.loc[frame["epoch"] == 0, "score.macro_f1"].isna().all()
    assert (frame.loc[frame["epoch"] > 0, "validate_seconds"] > 0).all()


def test_the_parts_of_a_trial_sum_to_the_trial(measured, table_runs):
    for folder in table_runs:
        metrics = extract_run(folder, MetricsContext.of(CONTEXT.model_dump()))
        trials = metrics.trials.set_index("phi")
        own = measured.frame[measured.frame["repetition"] == metrics.run["repetition"]]
        parts = own.drop(columns=["outcome", "reason"]).groupby("phi").sum(numeric_only=True)
        parts = parts.reindex(trials.index)
        both = {name: parts[name] + parts[f"import_{name}"] for name in ("seconds", "cpu_seconds")}
        assert near(both["seconds"] * 1e3, trials["duration_ms"])
        assert near(both["cpu_seconds"], trials["cpu_s"])
        for kind in ("static", "dynamic"):
            whole = parts[f"{kind}_j"] + parts[f"import_{kind}_j"]
            assert near(whole / 3.6e6, trials[f"{kind}_energy_kwh"])
        last = own[own["epoch"] == 3].set_index("phi")["score.macro_f1"].reindex(trials.index)
        assert near(last, trials["score"])


def near(found, expected):
    return found.to_numpy(float) == pytest.approx(expected.to_numpy(float))


def test_static_power_is_that_of_the_reservation(measured):
    frame, facts = measured.frame, measured.facts
    workers = measured.workload.workers
    watts = facts.static_w_per_core * measured.config.worker_cpu
    watts += facts.static_w_per_gb * workers.memory_mb / 1024
    assert frame["static_j"].sum() / frame["seconds"].sum() == pytest.approx(watts, rel=0.02)


def test_a_job_is_its_trials_and_what_stands_beside_them(measured, table_runs):
    for folder, outside in zip(table_runs, measured.facts.outside, strict=True):
        run = extract_run(folder, MetricsContext.of(CONTEXT.model_dump())).run
        beside = (
            outside.before_workers_j
            + outside.before_else_j
            + outside.after_workers_j
            + outside.after_else_j
        )
        job = beside / 3.6e6 + run["step_trials_energy_kwh"]
        assert job == pytest.approx(run["job_energy_kwh"])
        jct = outside.setup_s + run["trials_ms"] / 1e3 + outside.collect_s
        assert jct * 1e3 == pytest.approx(run["jct_ms"])


def test_a_process_imports_once(measured):
    first = measured.frame.dropna(subset="import_seconds")
    assert len(first) == 2 * measured.workload.workers.count
    assert (first["epoch"] == 0).all() and (first["import_seconds"] > 0).all()


def test_runs_that_cannot_make_a_table_are_named(tmp_path, run_job, table_runs):
    other = run_job(tmp_path, "plain", epochs=2)
    with pytest.raises(TrialwattError, match=r"validate_each_epoch: true"):
        table_of([other], CONTEXT)
    with pytest.raises(TrialwattError, match="no runs"):
        table_of([], CONTEXT)


def test_another_power_model_changes_joules_alone(measured, table_runs):
    same = {"memory_w_per_gb": 0.0, "included_gb_per_vcpu": 0.0, "source": "of this test"}
    half = table_of(table_runs, CONTEXT, 1, PowerParameters(min_w=0.0, max_w=1.0, **same)).frame
    whole = table_of(table_runs, CONTEXT, 1, PowerParameters(min_w=0.0, max_w=2.0, **same)).frame
    joules = [name for name in half if name.endswith("_j")]
    rest = [name for name in half if name not in joules]
    pd.testing.assert_frame_equal(half[rest], measured.frame[rest])
    assert (half["static_j"] == 0).all() and (half["dynamic_j"] > 0).any()
    np.testing.assert_allclose(whole["dynamic_j"], 2 * half["dynamic_j"], rtol=1e-4)


def test_a_trial_that_was_lost_is_a_hole(table_runs, tmp_path):
    """What ended it was not its own: it would not end so again."""
    import shutil

    from trialwatt.records.sealed import record_files

    folder = tmp_path / "results" / table_runs[0].relative_to(table_runs[0].parents[3])
    shutil.copytree(table_runs[0], folder)
    lines = {file.name: file.read_bytes() for file in record_files(folder, "records")}
    (folder / "records.zst").unlink()
    (folder / "records").mkdir()
    for name, data in lines.items():
        kept = []
        for line in data.decode().splitlines():
            event = json.loads(line)
            if event.get("trial") == "worker-0/0" and event.get("status") == "end":
                event |= {"outcome": "failed", "reason": "lost", "scores": {}}
            kept.append(json.dumps(event, separators=(",", ":")))
        (folder / "records" / name).write_text("\n".join(kept) + "\n")
    table = table_of([folder], CONTEXT)
    ((phi, repetition),) = table.holes
    assert repetition == 1 and phi in table.phis
    with pytest.raises(TrialwattError, match=r"has holes, 1 of 4 trials.*repetition 1"):
        table.check()
    assert np.isfinite(table.frame["seconds"]).all()
