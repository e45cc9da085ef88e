"""Ray Tune, on real clusters: whole jobs, what they record, survive and leave."""

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests.spaces import BOOSTERS, POINTS

from trialwatt.config.space import contains, grid
from trialwatt.contract.observing import trains
from trialwatt.contract.reading import events, manifest, trials
from trialwatt.records.sealed import record_file
from trialwatt.suts.ray import PORT_OPTIONS, Ray
from trialwatt.suts.ray_strategies import PRUNERS, SAMPLERS

pytest.importorskip("ray")

BED = {"cpu_per_vcpu": 0.5, "allow_oversubscription": True}


@pytest.fixture
def job(run_job, tmp_path):
    """Run one job on digits; afterwards nothing of it may be left."""
    before = _outside()

    def run(**keys) -> Path:
        keys = {"deadline_s": 600, "testbed": BED} | keys
        return run_job(tmp_path / "results", "ray", **keys)

    yield run
    assert not _processes()
    assert not list((tmp_path / "results" / ".partial").iterdir())
    assert _outside() <= before


def _processes(**environment):
    """Processes of any run's Ray cluster, whose environment holds these variables."""
    found = []
    for process in psutil.process_iter():
        try:
            variables = process.environ()
        except psutil.Error:
            continue
        ours = "TRIALWATT_RUN" in variables and "RAY_AUTH_TOKEN" in variables
        if ours and variables.items() >= environment.items():
            found.append(process)
    return found


def _outside() -> set[Path]:
    """What Ray may leave outside the run's folder: temporary folders, results, shared memory."""
    places = [(Path("/dev/shm"), "*"), (Path.home(), "ray_results"), (Path.home(), ".ray")]
    temporary = Path(os.sep, "tmp")
    places += [(temporary, "ray"), (temporary, "tw-ray-*")]
    return {path for folder, pattern in places for path in folder.glob(pattern)}


def _written(phi):
    return json.dumps(phi, sort_keys=True)


# --- whole jobs -------------------------------------------------------------------------------


@pytest.mark.slow  # a whole job on a cluster of its own; the contract has one in each test run
def test_a_whole_grid_every_phi_once_all_steps_and_nothing_left(job, run_config):
    folder = job()
    run, found = manifest(folder), trials(folder)
    assert run["status"] == "completed", run["reason"]
    space = run_config("ray").workload.space
    assert sorted(_written(t["phi"]) for t in found.values()) == sorted(map(_written, grid(space)))
    assert {t["outcome"] for t in found.values()} == {"completed"}
    assert sorted(t["number"] for t in found.values()) == [0, 1, 2, 3]
    assert {t["who"] for t in found.values()} == {"worker-0", "worker-1"}
    assert run["best"]["score"] == max(t["scores"]["macro_f1"] for t in found.values())
    assert found[run["best"]["trial"]]["phi"] == run["best"]["phi"]
    assert 0 < run["test"]["macro_f1"] <= 1

    all_events = events(folder)
    for trial in found:
        own = [e for e in all_events if e["kind"] == "trial" and e["trial"] == trial]
        assert [e.get("step") for e in own] == ["import", "load", "train", "validate", None]
        assert "cpu_ns" not in own[0]  # dispatched before its process was there
    # Both workers at once, and a worker's next trial starts after its last one.
    at = {(e["trial"], e["status"]): e["m"] for e in all_events if e["kind"] == "trial"}
    assert at["worker-0/0", "start"] < at["worker-1/0", "end"]
    assert at["worker-1/0", "start"] < at["worker-0/0", "end"]
    assert at["worker-0/0", "end"] < at["worker-0/1", "start"]

    # Records hold no pickles, and nothing that Ray or Tune wrote.
    assert {path.name for path in folder.glob("*.zst")} == {
        "logs.zst",
        "records.zst",
        "samples.zst",
    }
    _ports_are_free(folder)


def _ports_are_free(folder):
    log = record_file(folder, "logs/head.log").read_bytes().decode()
    address = log.split("ray start --address='")[1].split("'")[0]
    with socket.socket() as probe:
        probe.settimeout(1)
        assert probe.connect_ex((address.split(":")[0], int(address.split(":")[1]))) != 0


def _pruned(job, lrs, **search):
    """Run six epochs of each learning rate, one after the other; lr → (outcome, epochs).

    Those that were stopped got fewer, and the records say how many.
    """
    folder = job(
        epochs=6,
        workers={"count": 1, "cpu": 2, "memory_mb": 1024},
        space={
            "lr": {"choices": lrs},
            "decay": {"choices": [1e-6]},
            "ls": {"choices": [32]},
            "ln": {"choices": [1]},
        },
        search={"sampler": "grid"} | search,
    )
    run, found = manifest(folder), trials(folder)
    assert run["status"] == "completed", run["reason"]
    epochs = [e["trial"] for e in events(folder) if e["kind"] == "epoch"]
    assert {trial: epochs.count(trial) for trial in found} == {
        trial: t["epochs"] for trial, t in found.items()
    }
    assert all((t["outcome"] == "pruned") == (t["epochs"] < 6) for t in found.values())
    assert run["best"]["phi"]["lr"] == lrs[0]
    return {t["phi"]["lr"]: (t["outcome"], t["epochs"]) for t in found.values()}


def test_asha_stops_bad_trials_and_the_records_say_after_which_epoch(job):
    outcomes = _pruned(
        job, [0.01, 1e-7, 1e-8], pruner="asha", pruner_options={"reduction_factor": 2}
    )
    assert outcomes == {0.01: ("completed", 6), 1e-7: ("pruned", 1), 1e-8: ("pruned", 1)}


@pytest.mark.slow  # a whole job on a cluster of its own
def test_median_stops_bad_trials_and_the_records_say_after_which_epoch(job):
    outcomes = _pruned(
        job, [0.01, 1e-7, 1e-8], pruner="median", pruner_options={"min_samples_required": 1}
    )
    assert outcomes == {0.01: ("completed", 6), 1e-7: ("pruned", 1), 1e-8: ("pruned", 1)}


@pytest.mark.slow  # a whole job on a cluster of its own
def test_hyperband_stops_bad_trials_and_the_records_say_after_which_epoch(job):
    outcomes = _pruned(job, [0.01, 1e-7, 1e-8, 2e-8, 3e-8, 4e-8], pruner="hyperband")
    assert outcomes[0.01] == ("completed", 6)
    # Which of its brackets a trial is in, is drawn: one that is alone in its bracket goes on.
    stopped = [epochs for outcome, epochs in outcomes.values() if outcome == "pruned"]
    assert stopped
    assert set(stopped) <= {1, 3}


@pytest.mark.slow  # a whole job; the contract has one with a trial that needs too much memory
def test_a_trial_without_memory_fails_for_memory_and_the_job_goes_on(job):
    folder = job(
        epochs=1,
        workers={"count": 1, "cpu": 2, "memory_mb": 700},
        space={
            "lr": {"choices": [0.01]},
            "decay": {"choices": [1e-6]},
            "ls": {"choices": [6000, 32]},
            "ln": {"choices": [3]},
        },
    )
    run, found = manifest(folder), trials(folder)
    assert run["status"] == "completed", run["reason"]
    ends = {t["phi"]["ls"]: t for t in found.values()}
    large, small = ends[6000], ends[32]
    assert (large["outcome"], large["reason"], large["who"]) == ("failed", "memory", "harness")
    assert large["detail"] == "the trial's process was killed for memory; worker-0 lives on"
    assert (small["outcome"], small["reason"], small["who"]) == ("completed", "", "worker-0")
    assert small["detail"] == ""
    components = [e for e in events(folder) if e["kind"] == "component"]
    assert [e["status"] for e in components if e["component"] == "worker-0"] == ["start", "end"]


@pytest.mark.slow  # Ray tries for a while to start processes for which there is no memory
def test_workers_in_which_no_trial_can_begin_are_infeasible_and_the_reason_says_why(job):
    began = time.monotonic()
    folder = job(workers={"count": 1, "cpu": 2, "memory_mb": 256})
    run = manifest(folder)
    assert run["status"] == "infeasible"
    assert "memory" in run["reason"]
    assert time.monotonic() - began < 200


@pytest.mark.slow  # a whole job; the contract has one whose worker is killed in a trial
def test_a_raylet_killed_in_a_trial_is_replaced_and_the_job_ends(job, tmp_path):
    killed, over = [], threading.Event()

    def kill_one():
        while not (killed or over.is_set()):
            cluster = _processes(TRIALWATT_COMPONENT="worker-0")
            raylets = [p for p in cluster if p.name() == "raylet"]
            if raylets and any(map(trains, tmp_path.rglob("records/worker-0.jsonl"))):
                os.kill(raylets[0].pid, signal.SIGKILL)
                killed.append(raylets[0].pid)
            time.sleep(0.1)

    thread = threading.Thread(target=kill_one)
    thread.start()
    try:
        folder = job(
            epochs=1000,
            space={
                "lr": {"choices": [0.001, 0.01, 0.02]},
                "decay": {"choices": [1e-6]},
                "ls": {"choices": [16]},
                "ln": {"choices": [1]},
            },
        )
    finally:
        over.set()
        thread.join()
    assert killed
    run, found = manifest(folder), trials(folder)
    assert run["status"] == "completed", run["reason"]
    outcomes = sorted(t["outcome"] for t in found.values())
    assert outcomes == ["completed", "completed", "failed"]
    lost = next(t for t in found.values() if t["outcome"] == "failed")
    assert (lost["reason"], lost["who"]) == ("lost", "harness")
    assert lost["detail"].startswith("worker-0 was lost while it ran the trial")
    scores = [t["scores"]["macro_f1"] for t in found.values() if t["outcome"] == "completed"]
    assert run["best"]["score"] == max(scores)
    assert any(e["kind"] == "note" and "replaced" in e["text"] for e in events(folder))


@pytest.mark.slow  # ten deploys of half a minute to a minute each
def test_ten_deploys_in_a_row_of_four_workers_at_half_a_core(run_job, tmp_path, job):
    for repetition in range(1, 11):
        folder = job(
            repetition=repetition,
            epochs=1,
            deadline_s=400,
            workers={"count": 4, "cpu": 1, "memory_mb": 768},
        )
        run = manifest(folder)
        assert run["status"] == "completed", run["reason"]
        assert {t["outcome"] for t in trials(folder).values()} == {"completed"}


@pytest.mark.slow  # two whole jobs
@pytest.mark.parametrize(
    "search",
    [
        {"sampler": "optuna", "pruner": "median", "budget": 8},
        {"sampler": "hyperopt", "pruner": "hyperband", "budget": 8},
    ],
    ids=lambda search: f"{search['sampler']}-{search['pruner']}",
)
def test_other_strategies_in_whole_jobs(job, search, run_config):
    space = {
        "lr": {"low": 1e-6, "high": 0.1, "log": True},
        "decay": {"choices": [1e-6]},
        "ls": {"low": 8, "high": 32, "step": 8},
        "ln": {"low": 1, "high": 2},
    }
    folder = job(epochs=4, deadline_s=600, space=space, search=search)
    run, found = manifest(folder), trials(folder)
    assert run["status"] == "completed", run["reason"]
    assert len(found) == 8
    outcomes = [t["outcome"] for t in found.values()]
    assert set(outcomes) == {"completed", "pruned"}
    assert all(t["epochs"] < 4 for t in found.values() if t["outcome"] == "pruned")
    allowed = run_config("ray", space=space).workload.space
    assert all(contains(allowed, t["phi"]) for t in found.values())
    scores = [t["scores"]["macro_f1"] for t in found.values() if t["outcome"] == "completed"]
    assert run["best"]["score"] == max(scores)


# --- what it says of itself -------------------------------------------------------------------


def test_roles_have_disjoint_ports_and_what_a_trial_needs(run_config):
    config = run_config("ray", testbed=BED, workers={"count": 3, "cpu": 1, "memory_mb": 512})
    roles = Ray().planned_roles(config)
    assert [role.component for role in roles] == [
        "head",
        "driver",
        *(f"worker-{i}" for i in (0, 1, 2)),
    ]
    assert [role.speaks for role in roles] == [False, True, False, False, False]
    assert [role.confirmed for role in roles] == [False, False, False, False, True]
    assert (roles[2].cpu, roles[2].memory_mb) == (0.5, 512)
    spans = []
    for role in (roles[0], *roles[2:]):
        options = dict(zip(role.command, role.command[1:], strict=False))
        named = {int(options[option]) for option in PORT_OPTIONS if option in options}
        low, high = int(options["--min-worker-port"]), int(options["--max-worker-port"])
        spans.append(named | set(range(low, high + 1)))
        assert not named & set(range(low, high + 1))
    assert len(set().union(*spans)) == sum(map(len, spans))
    assert len({role.secrets["RAY_AUTH_TOKEN"] for role in roles}) == 1
    assert not any("RAY_AUTH_TOKEN" in role.environment for role in roles)


def test_two_plans_do_not_share_a_secret(run_config):
    tokens = {Ray().planned_roles(run_config("ray"))[0].secrets["RAY_AUTH_TOKEN"] for _ in "ab"}
    assert len(tokens) == 2


def test_the_strategies_that_need_no_other_package_are_there():
    assert SAMPLERS.keys() >= {"grid", "random", "optuna", "hyperopt", "bayesopt", "ax"}
    assert PRUNERS.keys() >= {"none", "asha", "hyperband", "median"}
    assert "tpe" not in SAMPLERS  # Ray has none of its own


@pytest.mark.parametrize(
    ("sampler", "axis", "said"),
    [
        ("bayesopt", {"choices": [1, 2]}, "continuous"),
        ("bayesopt", {"low": 1, "high": 9}, "continuous"),
        ("zoopt", {"low": 0.1, "high": 0.9, "log": True}, "log"),
    ],
)
def test_a_space_that_a_searcher_cannot_search_is_named(workload, sampler, axis, said):
    space = {
        "lr": axis,
        "decay": {"low": 0.0, "high": 0.5},
        "ls": {"low": 1.0, "high": 5.0},
        "ln": {"low": 1.0, "high": 2.0},
    }
    faults = Ray.search_problems(workload(space=space, search={"sampler": sampler, "budget": 3}))
    assert [key for key, _ in faults] == ["space.lr"]
    assert said in faults[0][1]


@pytest.mark.parametrize(
    ("search", "key"),
    [
        ({"pruner": "asha", "pruner_options": {"reduction": 2}}, "search.pruner_options"),
        ({"pruner": "asha", "pruner_options": {"reduction_factor": 1}}, "search.pruner_options"),
        ({"sampler": "optuna", "sampler_options": {"gamma_": 2}}, "search.sampler_options"),
        ({"sampler": "hyperopt", "sampler_options": {"x": 2}}, "search.sampler_options"),
        ({"sampler": "random", "sampler_options": {"random_state": 2}}, "search.sampler_options"),
    ],
)
def test_options_that_ray_refuses_are_named_before_anything_starts(workload, search, key):
    faults = Ray.search_problems(workload(search=search))
    assert len(faults) == 1
    assert faults[0][0].startswith(key)
    good = {"pruner": "asha", "pruner_options": {"reduction_factor": 2}}
    assert Ray.search_problems(workload(search=good)) == []


@pytest.mark.parametrize(("epochs", "brackets"), [(1, 1), (2, 1), (5, 2), (9, 3), (27, 4)])
def test_hyperband_has_its_number_of_brackets(workload, epochs, brackets):
    scheduler = PRUNERS["hyperband"].make(workload(epochs=epochs), {})
    assert len(scheduler._brackets) == brackets


@pytest.mark.parametrize("name", ["asha", "hyperband", "median"])
def test_each_pruner_stops_bad_trials_after_good_ones(workload, name):
    from ray.tune.experiment import Trial

    scheduler = PRUNERS[name].make(workload(epochs=9), {})
    assert scheduler.set_search_properties("score", "max")
    np.random.seed(1)

    def epochs_of(score):
        trial = Trial("scripted", stub=True)
        scheduler.on_trial_add(None, trial)
        for epoch in range(1, 10):
            result = {"score": score, "training_iteration": epoch}
            if epoch == 9:
                scheduler.on_trial_complete(None, trial, result)
            elif scheduler.on_trial_result(None, trial, result) == "STOP":
                break
        return epoch

    good, bad = [epochs_of(0.75) for _ in range(4)], [epochs_of(0.125) for _ in range(8)]
    assert good == [9] * 4
    assert min(bad) < 4
    assert sum(bad) < 0.7 * 9 * 8


def named(workload, folder) -> list[str]:
    """The points that Tune tries, as its own generator lists them."""
    from ray.tune.experiment import Experiment
    from ray.tune.registry import register_trainable

    from trialwatt.suts.codes import phi_of

    register_trainable("nothing", lambda config: None)
    algorithm, space, samples = SAMPLERS["grid"].make(workload, 1, {"max_concurrent": 0})
    part = Experiment(
        "part", "nothing", config=space, num_samples=samples, storage_path=str(folder)
    )
    algorithm.add_configurations([part])
    found = []
    while (trial := algorithm.next_trial()) is not None:
        found.append(_written(phi_of(workload.space, trial.config)))
    return found


def test_a_part_of_the_grid_is_so_many_of_its_points(workload, tmp_path):
    small = workload(search={"budget": 3})
    found = named(small, tmp_path)
    assert len(set(found)) == len(found) == 3
    assert set(found) <= set(map(_written, grid(small.space)))


def test_a_grid_with_conditions_has_each_of_its_points_once(workload, tmp_path):
    conditioned = workload(space=BOOSTERS, search={"sampler": "grid"})
    found = named(conditioned, tmp_path)
    assert sorted(found) == sorted(map(_written, grid(conditioned.space)))
    assert len(set(found)) == POINTS


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_has_no_conditions_is_refused_with_the_reason(workload, sampler):
    refused = Ray.condition_problems(workload(space=BOOSTERS, search={"sampler": sampler}))
    if sampler in ("grid", "random", "optuna", "hyperopt"):
        assert refused == {}
    else:
        assert sorted(refused) == ["bias", "depth", "drop", "leaves"]
        assert sampler in refused["depth"]


def test_hyperopts_searcher_branches_over_choices_only(workload):
    space = BOOSTERS | {"depth": {"low": 2, "high": 4}}
    refused = Ray.condition_problems(workload(space=space, search={"sampler": "hyperopt"}))
    assert sorted(refused) == ["drop", "leaves"]


def test_clean_removes_what_a_killed_run_left(run_config, tmp_path):
    from trialwatt.suts.base import Job
    from trialwatt.suts.services import scratch

    job = Job("run-left", run_config("ray"), 1, 0, str(tmp_path), "", 1, 1.0)
    folder = scratch("ray", job.run_id)
    (folder / "ray").mkdir(parents=True)
    Ray().clean(job)
    assert not folder.exists()
    Ray().clean(job)
