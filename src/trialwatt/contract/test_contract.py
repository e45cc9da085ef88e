"""What every SUT keeps to on every platform, whatever its framework does."""

import json

import pytest

from trialwatt.config.identity import trial_seed
from trialwatt.config.models import Workload
from trialwatt.config.space import contains, grid
from trialwatt.contract.observing import TOO_LARGE
from trialwatt.contract.users import OF_A_USER
from trialwatt.records.manifest import checksums
from trialwatt.records.sealed import record_file

pytestmark = pytest.mark.contract

STEPS = ["deploy", "setup", "trials", "collect", "test", "metrics", "undeploy"]


def key(phi: dict) -> str:
    return json.dumps(phi, sort_keys=True)


def space_of(ran):
    return Workload.model_validate(ran.manifest["config"]["workload"]).space


# --- a job that goes as it should -------------------------------------------------------------


def test_every_point_is_evaluated_once_and_a_surplus_is_recorded(usual, sampler):
    assert usual.manifest["status"] == "completed", usual.manifest["reason"]
    space = space_of(usual)
    phis = [trial["phi"] for trial in usual.trials.values()]
    assert all(contains(space, phi) for phi in phis)
    if sampler == "grid":
        assert sorted(map(key, phis)) == sorted(map(key, grid(space)))
    else:
        budget, distinct = len(grid(space)), set(map(key, phis))
        assert len(phis) <= budget  # a φ that comes again is a duplicate
        # a framework that has no more φ ends with fewer, but not before it has tried them all
        assert len(phis) == budget or distinct == set(map(key, grid(space)))
    numbers = [trial["number"] for trial in usual.trials.values()]
    assert len(set(numbers)) == len(numbers)


def test_the_steps_of_the_lifecycle_follow_one_another(usual):
    steps = [(e["step"], e["status"]) for e in usual.events if e["kind"] == "step"]
    assert steps == [(step, status) for step in STEPS for status in ("start", "end")]


def test_nobody_on_the_network_reaches_what_a_run_listens_on(usual):
    assert not usual.exposed


def test_what_the_components_got_of_the_users_environment_is_on_record(usual, place):
    if place.testbed["platform"] == "kubernetes":
        pytest.skip("pods have nothing of the user's environment")
    told = usual.manifest["environment"]
    assert "PATH" in told["kept"]
    assert told["left_out"].keys() >= OF_A_USER.keys()
    assert told["left_out"]["OMP_PROC_BIND"] == "true"
    assert "s3cret" not in json.dumps(told)
    assert told["set"].keys() == usual.manifest["enforcement"]["components"].keys()
    assert all(own["OMP_PROC_BIND"] == "false" for own in told["set"].values())


def test_every_trial_is_loaded_trained_validated_and_has_a_worker_and_an_outcome(usual):
    for trial_id, trial in usual.trials.items():
        own = [e for e in usual.events if e["kind"] == "trial" and e["trial"] == trial_id]
        assert (own[0]["status"], own[-1]["status"]) == ("start", "end")
        steps = [e["step"] for e in own if "step" in e]
        assert steps[-3:] == ["load", "train", "validate"]
        assert steps[:-3] in ([], ["import"])
        assert trial_id.split("/")[0] == trial["who"]
        assert (trial["outcome"], trial["reason"], trial["epochs"]) == ("completed", "", 3)
        assert 0 <= trial["scores"]["macro_f1"] <= 1
        # where a process is started per trial, nobody read its counter at the dispatch
        counters = [e["cpu_ns"] for e in own if "cpu_ns" in e]
        assert len(counters) >= len(own) - 1
        assert counters == sorted(counters) and counters[-1] > counters[0]


def test_all_workers_work_at_the_same_time(usual, hurt):
    """Trials are short, and a busy machine may hold one worker up: not in both jobs."""
    assert any(_side_by_side(ran) for ran in (usual, hurt))


def _side_by_side(ran) -> bool:
    spans: dict[str, list] = {"worker-0": [], "worker-1": []}
    for trial_id in ran.trials:
        own = [e["m"] for e in ran.events if e["kind"] == "trial" and e["trial"] == trial_id]
        spans[trial_id.split("/")[0]].append((own[0], own[-1]))
    return any(
        start < other_end and other_start < end
        for start, end in spans["worker-0"]
        for other_start, other_end in spans["worker-1"]
    )


def test_a_worker_holds_one_trial_at_a_time(usual):
    for worker in ("worker-0", "worker-1"):
        own = [e for e in usual.events if e["kind"] == "trial" and e["who"] == worker]
        statuses = [e["status"] for e in own if e["status"] != "step"]
        assert statuses == ["start", "end"] * (len(statuses) // 2)


def test_the_best_that_the_sut_names_is_the_best_of_the_records(usual, hurt):
    for ran in (usual, hurt):
        best = ran.manifest["best"]
        completed = [t for t in ran.trials.values() if t["outcome"] == "completed"]
        assert best["score"] == max(trial["scores"]["macro_f1"] for trial in completed)
        named = ran.trials[best["trial"]]
        assert (named["phi"], named["scores"]["macro_f1"]) == (best["phi"], best["score"])
        assert 0 < ran.manifest["test"]["macro_f1"] <= 1
        assert (ran.folder / "best.safetensors").stat().st_size > 0


def test_every_component_starts_gets_ready_and_ends_in_its_limits(usual, place, sut_class):
    seen: dict[str, dict[str, dict]] = {}
    for e in usual.events:
        if e["kind"] == "component":
            seen.setdefault(e["component"], {})[e["status"]] = e
    workers = {name for name, states in seen.items() if states["start"]["type"] == "worker"}
    assert workers == {"worker-0", "worker-1"}
    for name, states in seen.items():
        end = states["end"]
        assert end["cpu_ns"] > 0
        assert 0 < end["peak_memory_bytes"] <= states["start"]["memory_mb"] * 2**20
        if name in workers:
            cores = pytest.approx(2 * usual.manifest["config"]["testbed"]["cpu_per_vcpu"])
            assert (states["start"]["cpu"], states["start"]["memory_mb"]) == (cores, 1024)
    enforced = usual.manifest["enforcement"]["components"]
    assert set(enforced) == set(seen) | place.own


def test_the_machines_of_the_run_and_their_clocks_are_on_record(usual, place):
    host, clock = usual.manifest["host"], usual.manifest["clock"]
    if not place.own:  # this machine
        assert clock == {"source": "CLOCK_MONOTONIC", "offsets_ns": {}}
        assert "nodes" not in host
        return
    components = usual.manifest["enforcement"]["components"]
    assert host["nodes"] == len({each["node_hash"] for each in components.values()})
    assert set(clock["offsets_ns"]) == set(components) - place.own
    assert min(clock["measurements"].values()) >= 2  # at the start and at the end
    assert max(clock["uncertainty_ns"].values()) < 1e9


def test_the_folder_is_whole(usual):
    assert usual.manifest["files"] == checksums(usual.folder)
    assert record_file(usual.folder, "samples/usage.csv").read_bytes()


class NoReport:
    each_epoch = False

    def step(self, name): ...
    def __call__(self, epoch, scores=None): ...


def test_the_same_phi_has_the_same_score_under_every_sut(usual, digits):
    """Seeds follow from φ and the repetition: what differs between SUTs is what they cost."""
    from trialwatt.workload.images import Images, pin_threads
    from trialwatt.workload.task import run_trial

    workload = Workload.model_validate(usual.manifest["config"]["workload"])
    pin_threads(1)
    for trial in usual.trials.values():
        assert trial["seed"] == trial_seed(usual.manifest["seed"], trial["phi"])
        task = Images(workload, str(digits), usual.manifest["seed"])
        here = run_trial(task, trial["phi"], trial["seed"], NoReport())
        assert trial["scores"] == here.scores


# --- a job that is hurt -----------------------------------------------------------------------


def test_a_trial_that_needs_too_much_memory_fails_for_it_and_the_job_goes_on(hurt):
    assert hurt.manifest["status"] == "completed", hurt.manifest["reason"]
    large = [t for t in hurt.trials.values() if t["phi"]["ls"] >= TOO_LARGE]
    assert large
    assert {(t["outcome"], t["reason"]) for t in large} == {("failed", "memory")}
    assert all("killed for memory" in t["detail"] for t in large)
    others = [t for t in hurt.trials.values() if t["phi"]["ls"] < TOO_LARGE]
    assert {t["outcome"] for t in others} == {"completed", "failed"}
    assert all(contains(space_of(hurt), trial["phi"]) for trial in hurt.trials.values())


def test_a_worker_killed_in_mid_trial_is_recorded_and_the_job_goes_on(hurt, sampler):
    lost = [t for t in hurt.trials.values() if t["outcome"] == "failed" and t["reason"] != "memory"]
    assert [t["reason"] for t in lost] == ["lost"]
    killed = lost[0]["trial"].split("/")[0]
    assert lost[0]["detail"].startswith(f"{killed} was lost while it ran the trial")
    lives = [
        e["status"]
        for e in hurt.events
        if e["kind"] == "component" and e["component"] == killed and e["status"] != "ready"
    ]
    assert lives.count("start") >= 2, "it was not replaced"
    after = [e for e in hurt.events if e["kind"] == "trial" and e["m"] > lost[0]["m"]]
    assert any(e["status"] == "end" and e["outcome"] == "completed" for e in after)
    if sampler == "grid":
        begun = {key(trial["phi"]) for trial in hurt.trials.values()}
        assert begun == {key(phi) for phi in grid(space_of(hurt))}


# --- jobs that cannot end well ----------------------------------------------------------------


def test_a_job_ends_by_its_deadline(observed, usual, place, sampler):
    deadline_s = round(2 * usual.seconds_to_first_trial + 6, 1)
    search = {"sampler": sampler, "budget": 4}
    ran = observed(search=search, epochs=1_000_000, deadline_s=deadline_s)
    assert ran.manifest["status"] == "deadline"
    assert deadline_s <= ran.seconds < deadline_s + place.undeploy_s + usual.seconds_to_first_trial
    cut = {(t["outcome"], t["reason"]) for t in ran.trials.values()}
    if ran.seconds_to_first_trial < deadline_s:  # else the machine was twice as slow as before
        assert cut == {("failed", "deadline")}
        assert {t["detail"] for t in ran.trials.values()} == {"the run ended while it ran"}


def test_workers_that_cannot_start_end_the_run_as_infeasible_well_before_the_deadline(
    observed, usual, sampler
):
    workers = {"count": 2, "cpu": 2, "memory_mb": 64}
    deadline_s = max(600, 40 * usual.seconds_to_first_trial)  # as slow as this machine is
    ran = observed(search={"sampler": sampler}, workers=workers, deadline_s=deadline_s)
    assert ran.manifest["status"] == "infeasible"
    assert ran.manifest["reason"]
    assert ran.seconds < deadline_s / 2
    assert not [t for t in ran.trials.values() if t["outcome"] == "completed"]
