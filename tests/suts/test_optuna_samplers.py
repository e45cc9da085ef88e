"""Every sampler of Optuna on every kind of space: what it draws is in the space, and its own."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.spaces import BOOSTERS, CHOICES, POINTS, RANGES, conditional_spaces, text, written
from tests.suts.scripted import ScriptedTrials, job_of, search

from trialwatt.config.space import contains, grid
from trialwatt.suts.optuna import Optuna
from trialwatt.suts.optuna_storage import open_storage
from trialwatt.suts.optuna_strategies import SAMPLERS

CONTINUOUS = {"lr": {"low": 1e-5, "high": 0.1, "log": True}, "decay": {"low": 0.0, "high": 1.0}}
GRID = {
    "lr": {"low": 1e-4, "high": 1e-2, "log": True, "levels": 3},
    "ls": {"choices": [16, 32]},
    "ln": {"low": 1, "high": 2},
}


def by_lr(phi, epoch):
    return 1 / (1 + abs(phi["lr"] - 0.01))


def keys(trials):
    return [json.dumps(phi, sort_keys=True) for phi, *_ in trials]


whole = st.integers(-40, 40)
real = st.floats(-50, 50, allow_nan=False).map(lambda value: round(value, 3))


@st.composite
def whole_ranges(draw):
    low, width = draw(whole), draw(st.integers(1, 30))
    return {"low": low, "high": low + width} | draw(
        st.sampled_from([{}, {"step": 1.0}, {"step": 3.0}, {"levels": 4}])
    )


@st.composite
def whole_log_ranges(draw):
    low = draw(st.integers(1, 20))
    return {"low": low, "high": low + draw(st.integers(1, 200)), "log": True, "levels": 3}


@st.composite
def real_ranges(draw):
    low, step = draw(real), draw(st.sampled_from([0.1, 0.25, 0.003, 1.7]))
    high = round(low + draw(st.integers(1, 9)) * step + draw(st.sampled_from([0, 0.0007])), 6)
    return {"low": low, "high": high} | draw(
        st.sampled_from([{"levels": 3}, {"step": step}, {"step": step, "levels": 2}])
    )


@st.composite
def real_log_ranges(draw):
    low = draw(st.floats(1e-6, 1.0))
    return {"low": low, "high": low * draw(st.floats(1.5, 1e4)), "log": True, "levels": 4}


choices = st.one_of(
    st.lists(st.integers(-5, 300), min_size=1, max_size=4, unique=True),
    st.lists(st.floats(1e-6, 10), min_size=1, max_size=4, unique=True),
    st.lists(st.sampled_from(["a", "b", "relu"]), min_size=1, max_size=3, unique=True),
    st.just([True, False]),
    st.just(["a", 1, 0.5, False]),
).map(lambda values: {"choices": values})
axes = st.one_of(choices, whole_ranges(), whole_log_ranges(), real_ranges(), real_log_ranges())
spaces = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), axes, min_size=1, max_size=4)
discrete = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.one_of(choices, whole_ranges(), whole_log_ranges()),
    min_size=1,
    max_size=3,
)
FEW = {"tpe": {"n_startup_trials": 2}, "gp": {"n_startup_trials": 3}}
EXAMPLES = {"gp": 4, "grid": 15, "random": 15}


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("name", SAMPLERS)
def test_what_a_sampler_draws_is_in_the_space(name, tmp_path_factory):
    @settings(
        max_examples=EXAMPLES.get(name, 8), deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    @given(space=discrete if name == "bruteforce" else spaces)
    def draws(space):
        options = {"sampler": name, "budget": 6, "sampler_options": FEW.get(name, {})}
        job = job_of(tmp_path_factory.mktemp("job"), "optuna", space, options, epochs=1)
        if name == "grid" and len(grid(job.workload.space)) < 6:
            return
        numbers = iter(range(100))
        found = search(Optuna(), job, lambda phi, epoch: next(numbers) % 5 / 5)
        assert len(found) == 6
        for phi, *_ in found:
            assert contains(job.workload.space, phi), phi
            assert json.loads(json.dumps(phi)) == phi
        best = Optuna().best(job)
        phi = next(phi for phi, number, *_ in found if number == best.number)
        assert best.phi == phi
        assert {key: type(value) for key, value in best.phi.items()} == {
            key: type(value) for key, value in phi.items()
        }

    draws()


@pytest.mark.parametrize("name", ["grid", "bruteforce"])
def test_an_exhaustive_sampler_visits_the_grid(name, tmp_path):
    space = GRID if name == "grid" else GRID | {"lr": {"choices": [1e-4, 1e-3, 1e-2]}}
    job = job_of(tmp_path, "optuna", space, {"sampler": name}, workers={"count": 2}, epochs=1)
    found = keys(search(Optuna(), job, by_lr, workers=2, pause_s=0.002))
    points = {json.dumps(phi, sort_keys=True) for phi in grid(job.workload.space)}
    assert len(found) == len(points) == 12
    if name == "grid":
        assert set(found) == points
    else:  # two workers that ask at one moment may get one point; the budget is kept all the same
        assert set(found) <= points
        assert len(set(found)) >= 9


def test_one_worker_visits_everything_by_brute_force(tmp_path):
    space = {"lr": {"choices": [1e-3, 1e-2]}, "ls": {"low": 2, "high": 5}}
    job = job_of(tmp_path, "optuna", space, {"sampler": "bruteforce"}, epochs=1)
    assert len(set(keys(search(Optuna(), job, by_lr)))) == 8


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_trial_that_ended_before_it_had_all_of_its_values_harms_no_other(name, tmp_path):
    """A worker is killed while it draws; the budget is full when it asks."""
    import optuna

    job = job_of(tmp_path, "optuna", GRID | {"lr": {"choices": [1e-4, 1e-3, 1e-2]}},
                 {"sampler": name, "budget": 8}, epochs=1)  # fmt: skip
    sut = Optuna()
    sut.setup(job)
    study = optuna.load_study(study_name=job.run_id, storage=open_storage(job))
    lost = [study.ask() for _ in range(3)]
    lost[1].suggest_categorical("lr", [1e-4, 1e-3, 1e-2])
    sut.recover(job, [0, 1])
    study.tell(2, state=optuna.trial.TrialState.PRUNED)
    trials = ScriptedTrials(job, by_lr, started=[0, 1, 2])
    sut.work(job, 0, trials)
    assert [number for _, number, *_ in trials.ran] == [3, 4, 5, 6, 7]
    assert sut.lost(job) == [0, 1]


def test_a_trial_whose_worker_died_before_it_began_is_held_for_lost(tmp_path):
    import optuna

    job = job_of(tmp_path, "optuna", GRID, {"sampler": "random", "budget": 3}, epochs=1)
    sut = Optuna()
    sut.setup(job)
    optuna.load_study(study_name=job.run_id, storage=open_storage(job)).ask()
    sut.work(job, 0, ScriptedTrials(job, by_lr))
    assert sut.lost(job) == [0]


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name not in ("grid", "bruteforce")])
def test_workers_do_not_repeat_each_other(name, tmp_path):
    """A budget is kept whatever the number of workers, and each has its own random numbers."""
    options = {"sampler": name, "budget": 12, "sampler_options": FEW.get(name, {})}
    job = job_of(tmp_path, "optuna", CONTINUOUS, options, workers={"count": 3}, epochs=1)
    found = search(Optuna(), job, by_lr, workers=3, pause_s=0.01)
    assert [number for _, number, *_ in found] == list(range(12))
    if name == "gp":  # with the same observations, two workers can propose the same optimum
        found = found[: FEW["gp"]["n_startup_trials"]]
    most_that_can_coincide = 3 if name == "qmc" else 0  # taking a turn is not atomic there
    assert len(set(keys(found))) >= len(found) - most_that_can_coincide


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_seed_decides(name, tmp_path_factory):
    """The same seed gives the same search, another one another: repetitions differ."""
    space = GRID if name in ("grid", "bruteforce") else CONTINUOUS
    space = space | {"lr": {"choices": [1e-4, 1e-3, 1e-2]}} if name == "bruteforce" else space
    options = {"sampler": name, "budget": 8, "sampler_options": FEW.get(name, {})}

    def found(seed):
        folder = tmp_path_factory.mktemp("job")
        return keys(search(Optuna(), job_of(folder, "optuna", space, options, seed=seed), by_lr))

    assert found(7) == found(7) != found(8)


def test_a_worker_that_replaces_another_does_not_draw_the_same_again(tmp_path):
    options = {"sampler": "random", "budget": 8}
    job = job_of(tmp_path, "optuna", CONTINUOUS, options, epochs=1)
    sut = Optuna()
    sut.setup(job)

    class Killed(BaseException):
        pass

    class Dying(ScriptedTrials):
        def run(self, phi, number, report=None, dispatched=None):
            if len(self.ran) == 3:
                raise Killed
            return super().run(phi, number, report)

    first = Dying(job, by_lr)
    with pytest.raises(Killed):
        sut.work(job, 0, first)
    second = ScriptedTrials(job, by_lr, started=[0, 1, 2, 3])
    sut.recover(job, [3])
    sut.recover(job, [3])
    sut.work(job, 0, second)
    assert [number for _, number, *_ in second.ran] == [4, 5, 6, 7]
    assert len(set(keys(first.ran + second.ran))) == 7


def test_a_trial_that_failed_is_not_the_best(tmp_path):
    from trialwatt.suts.base import TrialResult

    class Failing(ScriptedTrials):
        def run(self, phi, number, report=None, dispatched=None):
            result = super().run(phi, number, report)
            if number == 1:
                return result
            return TrialResult(result.trial, "failed", None, "nan")

    options = {"sampler": "random", "budget": 4}
    job = job_of(tmp_path, "optuna", CONTINUOUS, options, epochs=1)
    sut = Optuna()
    sut.setup(job)
    assert sut.best(job) is None
    sut.work(job, 0, Failing(job, by_lr))
    assert sut.best(job).number == 1


# --- conditions -------------------------------------------------------------------------------

CONDITIONED = [name for name in SAMPLERS if name != "grid"]
SOON = FEW | {"nsga2": {"population_size": 4}, "nsga3": {"population_size": 4}}


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("name", CONDITIONED)
def test_a_sampler_draws_what_is_active_and_nothing_else(name, tmp_path_factory):
    exact = {"leaves": CHOICES | RANGES} if name == "bruteforce" else {}

    @settings(max_examples=EXAMPLES.get(name, 8), deadline=None,
              suppress_health_check=[HealthCheck.too_slow])  # fmt: skip
    @given(space=conditional_spaces(**exact))
    def draws(space):
        options = {"sampler": name, "budget": 16, "sampler_options": SOON.get(name, {})}
        folder = tmp_path_factory.mktemp("job")
        job = job_of(folder, "optuna", written(space), options, epochs=1)
        numbers = iter(range(100))
        for phi, *_ in search(Optuna(), job, lambda phi, epoch: next(numbers) % 5 / 5):
            assert contains(job.workload.space, phi), phi
        assert contains(job.workload.space, Optuna().best(job).phi)

    draws()


def test_brute_force_takes_each_point_of_a_space_with_conditions_once(tmp_path):
    job = job_of(tmp_path, "optuna", BOOSTERS, {"sampler": "bruteforce"}, epochs=1)
    found = [text(phi) for phi, *_ in search(Optuna(), job, lambda phi, epoch: 0.5)]
    assert len(found) == POINTS
    assert set(found) == {text(phi) for phi in grid(job.workload.space)}


def test_brute_force_goes_on_after_a_trial_that_lacks_what_its_parents_ask_for(tmp_path):
    import optuna

    options = {"sampler": "bruteforce", "budget": POINTS + 1}
    job = job_of(tmp_path, "optuna", BOOSTERS, options, epochs=1)
    sut = Optuna()
    sut.setup(job)
    study = optuna.load_study(study_name=job.run_id, storage=open_storage(job))
    study.ask().suggest_categorical("booster", BOOSTERS["booster"]["choices"])
    sut.recover(job, [0])
    trials = ScriptedTrials(job, lambda phi, epoch: 0.5, started=[0])
    sut.work(job, 0, trials)
    assert {text(phi) for phi, *_ in trials.ran} == {text(phi) for phi in grid(job.workload.space)}


@pytest.mark.parametrize("name", SAMPLERS)
def test_only_the_grid_takes_no_conditions(name, workload):
    conditioned = workload(space=BOOSTERS, search={"sampler": name, "budget": 9})
    refused = Optuna.condition_problems(conditioned)
    assert sorted(refused) == (["bias", "depth", "drop", "leaves"] if name == "grid" else [])


def test_each_sampler_is_optunas_own():
    import optuna

    for strategy in SAMPLERS.values():
        assert issubclass(getattr(optuna.samplers, strategy.native), optuna.samplers.BaseSampler)
