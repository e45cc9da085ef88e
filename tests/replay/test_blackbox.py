"""The trial table in Syne Tune's own layout, read back by Syne Tune."""

import importlib.util
import json

import numpy as np
import pytest
from benchmarks.synthetic_table import made

from trialwatt.errors import TrialwattError
from trialwatt.replay.blackbox import EPOCH, TASK, export


def test_failed_trials_and_holes_are_named(tmp_path):
    with pytest.raises(TrialwattError, match="trials that failed"):
        export(made(failing=(3,)), tmp_path)


NEEDS = ("syne_tune", "huggingface_hub", "fastparquet")


@pytest.mark.skipif(not all(map(importlib.util.find_spec, NEEDS)), reason="needs syne-tune")
def test_syne_tune_reads_what_was_measured(tmp_path):
    from syne_tune.blackbox_repository.blackbox_tabular import deserialize

    table = made()
    found = deserialize(str(export(table, tmp_path / "box")))[TASK]
    phi, repetition = table.phis[5], 2
    own = table.frame[(table.frame["phi"] == phi) & (table.frame["repetition"] == repetition)]
    own = own.set_index("epoch")
    told = found.objective_function(json.loads(phi), {EPOCH: 3}, seed=repetition - 1)
    assert told["elapsed_time"] == pytest.approx(own["seconds"].loc[:3].sum())
    joules = own["static_j"] + own["dynamic_j"]
    assert told["energy_j"] == pytest.approx(joules.loc[:3].sum())
    assert told["macro_f1"] == pytest.approx(own["score.macro_f1"].loc[3])
    assert np.array_equal(found.fidelity_values, [1, 2, 3, 4, 5])
