"""Every bad input is one exact sentence: the file, the key in it, what is wrong."""

import hashlib
import os
import shutil
from collections import namedtuple

import pytest

from trialwatt.config.planner import load_plan
from trialwatt.errors import ConfigError, TrialwattError

WORKLOAD, SPACE = "workloads/small.yaml", "spaces/four.yaml"
NODE, TESTBED = "experiments/r-node.yaml", "testbeds/bench.yaml"


def said(project, *more) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        project.plan(*more)
    return [str(problem) for problem in caught.value.problems]


CASES = [
    # --- unknown and misspelt keys
    ("config.yaml", ["repetitons"], 3, 'repetitons: unknown key; did you mean "repetitions"?'),
    (
        "config.yaml",
        ["zzz"],
        3,
        "zzz: unknown key; known are: testbed, experiments, base, set, only,"
        " suts, optional_suts, repetitions, warm_up, seed, data, results, replay",
    ),
    (WORKLOAD, ["workers", "cout"], 3, 'workers.cout: unknown key; did you mean "count"?'),
    (WORKLOAD, ["serach"], {}, 'serach: unknown key; did you mean "search"?'),
    (TESTBED, ["servic"], {}, 'servic: unknown key; did you mean "service"?'),
    (SPACE, ["lr", "choice"], [1], 'lr.choice: unknown key; did you mean "choices"?'),
    (NODE, ["varies"], {}, 'varies: unknown key; did you mean "vary"?'),
    (
        "prices.yaml",
        ["sets", "gcp-n2", "per_vcpu"],
        1,
        'sets.gcp-n2.per_vcpu: unknown key; did you mean "per_vcpu_h"?',
    ),
    # --- wrong types
    ("config.yaml", ["repetitions"], "three", 'repetitions: must be a whole number (got "three")'),
    ("config.yaml", ["repetitions"], True, "repetitions: must be a whole number (got true)"),
    ("config.yaml", ["repetitions"], 0, "repetitions: must be at least 1 (got 0)"),
    ("config.yaml", ["experiments"], "baseline", 'experiments: must be a list (got "baseline")'),
    ("config.yaml", ["experiments"], [], "experiments: must not be empty"),
    (WORKLOAD, ["epochs"], 2.5, "epochs: must be a whole number (got 2.5)"),
    (WORKLOAD, ["workers"], 4, "workers: must hold keys (got 4)"),
    (WORKLOAD, ["validation_share"], 1.0, "validation_share: must be less than 1 (got 1.0)"),
    (SPACE, ["lr"], [0.1], "lr: must be {choices: [...]} or {low: ..., high: ...} (got [0.1])"),
    (
        SPACE,
        ["lr"],
        {"choices": [[0.1]]},
        "lr.choices[0]: must be a finite number, true, false or text (got [0.1])",
    ),
    (NODE, ["vary"], {"workers.count": 2}, "vary.workers.count: must be a list (got 2)"),
    # --- goals
    (
        WORKLOAD,
        ["goal"],
        {"score": "acuracy"},
        "goal.score: images are scored by macro_f1, accuracy (got acuracy)"
        '; did you mean "accuracy"?',
    ),
    (
        WORKLOAD,
        ["goal"],
        {"direction": "minimize"},
        "goal.direction: more is better of the scores of images (got minimize)",
    ),
    (
        WORKLOAD,
        ["goal"],
        {"direction": "down"},
        "goal.direction: must be 'maximize' or 'minimize' (got \"down\")",
    ),
    (
        WORKLOAD,
        ["goal"],
        {"target": -0.5},
        "goal.target: the scores of images are above 0 and at most 1 (got -0.5)",
    ),
    (
        TESTBED,
        ["enforcement"],
        "hard",
        "enforcement: must be 'auto', 'cgroup-v2', 'systemd', 'cgroup-v1' or 'soft' (got \"hard\")",
    ),
    (
        "carbon.yaml",
        ["regions", "world", "date"],
        "2026-02-30",
        "regions.world.date: must be a day such as 2026-01-31 (got '2026-02-30')",
    ),
    # --- values that cannot be
    (WORKLOAD, ["workers", "count"], 0, "workers.count: must be at least 1 (got 0)"),
    (NODE, ["vary", "workers.count"], [1, 0], "vary.workers.count[1]: must be at least 1 (got 0)"),
    (WORKLOAD, ["workers", "memory_mb"], 63, "workers.memory_mb: must be at least 64 (got 63)"),
    (
        NODE,
        ["vary"],
        {"workers.memory_mb": [32, 1024]},
        "vary.workers.memory_mb[0]: must be at least 64 (got 32)",
    ),
    (WORKLOAD, ["search"], {"budget": 0}, "search.budget: must be at least 1 (got 0)"),
    (
        WORKLOAD,
        ["search"],
        {"budget": 5},
        "search.budget: is more than the 4 points of the grid (got 5)",
    ),
    (WORKLOAD, ["search"], {"budget": -1}, "search.budget: must be at least 1 (got -1)"),
    # --- searches that cannot be meant
    (
        WORKLOAD,
        ["workers"],
        {"count": 5, "cpu": 1},
        "workers.count: more workers than trials: 5 for 4 (the points of the grid)",
    ),
    # --- the storage of the SUTs
    (
        TESTBED,
        ["storage"],
        {"postgres_env": "postgresql://me:secret@host/db"},
        "storage.postgres_env: must be the name of an environment variable that holds the URL",
    ),
    (
        TESTBED,
        ["storage"],
        {"postgres_env": "NO_SUCH_VARIABLE"},
        "storage.postgres_env: the environment variable NO_SUCH_VARIABLE is not set;"
        " it must hold the URL",
    ),
    (TESTBED, ["storage"], {}, "storage: needs one of postgres_env and `postgres: service`"),
    (
        TESTBED,
        ["storage"],
        {"postgres": "services"},
        "storage.postgres: must be 'service' (got \"services\")",
    ),
    (
        TESTBED,
        ["storage"],
        {"postgres": "service", "postgres_env": "A_URL"},
        "storage: needs one of postgres_env and `postgres: service`",
    ),
    # --- treatments
    (
        NODE,
        ["vary", "workers.count"],
        [1, 2, 1],
        "vary.workers.count[2]: 1 stands in the list already",
    ),
    (NODE, ["vary", "workers.count"], [], "vary.workers.count: must not be empty"),
    (
        NODE,
        ["vary"],
        {"workers.cuont": [1]},
        'vary.workers.cuont: a workload has no such key; did you mean "workers.count"?',
    ),
    (
        NODE,
        ["set"],
        {"workers.cuont": 1},
        'set.workers.cuont: a workload has no such key; did you mean "workers.count"?',
    ),
    (NODE, ["set"], {"epochs": 0}, "set.epochs: must be at least 1 (got 0)"),
    (NODE, ["suts"], ["alpha", "alpha"], "suts[1]: alpha stands in the list already"),
    (
        "config.yaml",
        ["experiments"],
        ["baseline", "baseline"],
        "experiments[1]: baseline stands in the list already",
    ),
    (
        "config.yaml",
        ["set"],
        {"workers.cont": 1},
        'set.workers.cont: a workload has no such key; did you mean "workers.count"?',
    ),
    ("config.yaml", ["set"], {"workers.count": 0}, "set.workers.count: must be at least 1 (got 0)"),
    # --- names of files
    (
        "config.yaml",
        ["experiments"],
        ["r-nod"],
        'experiments[0]: there is no config/experiments/r-nod.yaml; did you mean "r-node"?',
    ),
    (
        "config.yaml",
        ["testbed"],
        "moon",
        "testbed: there is no config/testbeds/moon.yaml; there are: bench",
    ),
    (
        "config.yaml",
        ["base"],
        "smal",
        'base: there is no config/workloads/smal.yaml; did you mean "small"?',
    ),
    (NODE, ["base"], "big", "base: there is no config/workloads/big.yaml; there are: small"),
    (
        WORKLOAD,
        ["space"],
        "fuor",
        'space: there is no config/spaces/fuor.yaml; did you mean "four"?',
    ),
    (
        "config.yaml",
        ["set"],
        {"space": "none"},
        "set.space: there is no config/spaces/none.yaml; there are: four, spot",
    ),
    (
        "config.yaml",
        ["base"],
        "../x",
        'base: must be made of lower-case letters, digits and dashes (got "../x")',
    ),
    # --- names from the catalogue and the registries
    (
        WORKLOAD,
        ["dataset"],
        "mnits",
        'dataset: there is no dataset "mnits"; there are: digits,'
        ' mnist, fashion-mnist; did you mean "mnist"?',
    ),
    (
        WORKLOAD,
        ["model"],
        "fff",
        'model: there is no model "fff"; there are: ff, cnn; did you mean "ff"?',
    ),
    (
        WORKLOAD,
        ["algorithm"],
        "adm",
        'algorithm: there is no algorithm "adm"; there are: adam,'
        ' adamw, rmsprop, sgd; did you mean "adam"?',
    ),
    (
        NODE,
        ["suts"],
        ["alpha", "broken"],
        "suts[1]: no_such_module:Broken cannot be loaded: No module named 'no_such_module'",
    ),
    (
        NODE,
        ["suts"],
        ["absent"],
        "suts[0]: absent cannot run here: java is not installed: install Java 17",
    ),
    (
        TESTBED,
        ["prices"],
        "gcp-n3",
        'prices: "gcp-n3" is not in config/prices.yaml; there are: gcp-n2; did you mean "gcp-n2"?',
    ),
    (TESTBED, ["region"], "DEU", 'region: "DEU" is not in config/carbon.yaml; there are: world'),
    (
        TESTBED,
        ["power_model"],
        "gcp",
        'power_model: "gcp" is not in config/power.yaml; there are: gcp-median',
    ),
    # --- hyperparameters
    (
        SPACE,
        ["dropout"],
        {"choices": [0.1]},
        "dropout: nothing reads this hyperparameter; ff reads ls, ln, adam reads lr, decay",
    ),
    (
        SPACE,
        ["lrr"],
        {"choices": [0.1]},
        "lrr: nothing reads this hyperparameter; ff reads ls, ln,"
        ' adam reads lr, decay; did you mean "lr"?',
    ),
    (
        WORKLOAD,
        ["fixed"],
        {"momentum": 1},
        "fixed.momentum: nothing reads this hyperparameter; ff reads ls, ln, adam reads lr, decay",
    ),
    (
        WORKLOAD,
        ["fixed"],
        {"ls": 8},
        "fixed.ls: is in the search space too; take it out of one of them",
    ),
    (
        SPACE,
        ["ls"],
        {"choices": [8, 0]},
        "ls.choices[1]: units per hidden layer: must be a whole number of at least 1 (got 0)",
    ),
    (
        SPACE,
        ["ls"],
        {"low": 0, "high": 8},
        "ls.low: units per hidden layer: must be a whole number of at least 1 (got 0)",
    ),
    (
        SPACE,
        ["ls"],
        {"low": 1, "high": 8, "step": 0.5},
        "ls.step: units per hidden layer: must be a whole number of at least 1 (got 0.5)",
    ),
    (
        SPACE,
        ["lr"],
        {"choices": [0]},
        "lr.choices[0]: learning rate: must be a number greater than 0 (got 0)",
    ),
    (
        SPACE,
        ["lr"],
        {"choices": ["1e-4x"]},
        "lr.choices[0]: learning rate: must be a number greater than 0 (got 1e-4x)",
    ),
    (
        SPACE,
        ["ln"],
        {"choices": [True]},
        "ln.choices[0]: number of hidden layers: must be a whole number of at least 1 (got True)",
    ),
    (SPACE, ["lr"], {"choices": []}, "lr.choices: must not be empty"),
    (SPACE, ["lr"], {"choices": [0.1, 0.1]}, "lr: choices holds a value twice"),
    (SPACE, ["lr"], {"low": 0.1, "high": 0.01}, "lr: low must be below high (got 0.1 and 0.01)"),
    (
        SPACE,
        ["lr"],
        {"low": 0.01, "high": 0.1},
        "lr: a continuous range needs `levels` (or a `step`) to be on a grid",
    ),
]


def _first_words(case) -> str:
    name, path, to, _ = case
    return f"{name}-{'.'.join(map(str, path))}={to}"


@pytest.mark.parametrize("case", CASES, ids=_first_words)
def test_one_fault_is_one_exact_sentence(project, case):
    name, path, to, sentence = case
    project.edit(name, *path, to=to)
    assert said(project) == [f"config/{name}: {sentence}"]


def test_the_untouched_project_has_no_fault(project):
    assert len(project.plan().runs) == 2


def test_a_hyperparameter_that_is_nowhere_is_named(project):
    project.edit(SPACE, "ln", to=None)
    assert said(project) == [
        'config/spaces/four.yaml: ff needs "ln" (number of hidden layers):'
        " neither here nor in fixed"
    ]
    project.edit(WORKLOAD, "fixed", to={"ln": 0})
    assert said(project) == [
        "config/workloads/small.yaml: fixed.ln: number of hidden layers:"
        " must be a whole number of at least 1 (got 0)"
    ]
    project.edit(WORKLOAD, "fixed", to={"ln": 2})
    assert project.plan()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("{}\n", "must not be empty"), ("", "is empty; it must hold `key: value` lines"),
     ("- lr\n", "holds no keys; it must hold `key: value` lines")],
)  # fmt: skip
def test_an_empty_search_space(project, content, sentence):
    project.write(SPACE, content)
    assert said(project) == [f"config/spaces/four.yaml: {sentence}"]


def test_an_empty_inline_search_space(project):
    project.edit(WORKLOAD, "space", to={})
    assert said(project) == ["config/workloads/small.yaml: space: must not be empty"]


def test_an_unknown_sut_lists_those_that_there_are(project):
    project.edit(NODE, "suts", to=["alpha", "alhpa"])
    (sentence,) = said(project)
    assert sentence.startswith(
        'config/experiments/r-node.yaml: suts[1]: there is no SUT "alhpa"; there are: absent, alpha'
    )
    assert sentence.endswith('did you mean "alpha"?')


def test_an_unknown_platform_or_meter_lists_those_that_there_are(project):
    project.edit(TESTBED, "platform", to="bnech")
    project.edit(TESTBED, "meters", to=["model", "modle"])
    meter, platform = said(project)
    assert platform.startswith('config/testbeds/bench.yaml: platform: there is no platform "bnech"')
    assert meter.startswith('config/testbeds/bench.yaml: meters[1]: there is no meter "modle"')
    assert platform.endswith('did you mean "bench"?')
    assert meter.endswith('did you mean "model"?')


def test_a_sampler_is_reported_where_it_was_chosen(project):
    project.edit(WORKLOAD, "search", to={"sampler": "cmaes"})
    assert said(project) == [
        "config/workloads/small.yaml: search.sampler:"
        ' alpha offers no sampler "cmaes"; it has: grid, random'
    ]


def test_a_pruner_is_reported_where_it_was_chosen(project):
    project.edit("config.yaml", "set", to={"search.pruner": "hyperband"})
    assert said(project) == [
        "config/config.yaml: set.search.pruner:"
        ' alpha offers no pruner "hyperband"; it has: none, median'
    ]


def test_a_varied_sampler_that_no_sut_offers_is_reported_at_each(project):
    project.edit(NODE, "vary", to={"search.sampler": ["grid", "nsga2"]})
    project.edit(NODE, "suts", to=["alpha", "gamma"])
    assert said(project) == [
        "config/experiments/r-node.yaml: suts[0]:"
        ' alpha offers no sampler "nsga2"; it has: grid, random',
        "config/experiments/r-node.yaml: suts[1]:"
        ' gamma offers no sampler "nsga2"; it has: grid, random, gp, tpe',
    ]


def test_options_of_a_varied_sampler_are_no_excuse(project):
    project.edit(NODE, "vary", to={"search.sampler": "all"})
    project.edit(NODE, "suts", to=["gamma"])
    project.edit("config.yaml", "set", to={"search.sampler_options.typo": 1})
    assert "config/config.yaml: set.search.sampler_options.typo: gamma: no option typo" in said(
        project
    )


SWEEP = {"start": 1, "step": 1, "maximum": 2}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"step": 0}, "vary.workers.count.step: must be greater than 0 (got 0)"),
        ({"step": -1}, "vary.workers.count.step: must be greater than 0 (got -1)"),
        ({"start": 3}, "vary.workers.count: start must not be above maximum (got 3 and 2)"),
        ({"tolerance": 1}, "vary.workers.count.tolerance: must be less than 1 (got 1)"),
        ({"tolerance": 0.0}, "vary.workers.count.tolerance: must be greater than 0 (got 0.0)"),
        ({"until": "ept"}, """vary.workers.count.until: must be 'jct' (got "ept")"""),
        ({"end": 3}, "vary.workers.count.end: unknown key; known are: start, step, maximum, until,"
         " tolerance"),
        ({"start": 1.5}, "vary.workers.count.start: must be a whole number (got 1.5)"),
        ({"maximum": 3}, "vary.workers.count.maximum: alpha: 3 cores are asked for"),
    ],
)  # fmt: skip
def test_a_faulty_sweep_is_named(project, change, sentence):
    project.edit("workloads/small.yaml", "workers", to={"count": 2, "cpu": 4})
    project.edit(NODE, "vary", to={"workers.count": SWEEP | change})
    assert any(one.startswith(f"config/{NODE}: {sentence}") for one in said(project)), said(project)


def test_a_sweep_stands_alone(project):
    project.edit(NODE, "vary", to={"epochs": [1, 2], "workers.count": SWEEP})
    assert said(project) == [
        f"config/{NODE}: vary.workers.count: a sweep cannot be combined with other keys; list its"
        " values instead"
    ]


def test_a_sweep_is_the_only_way_of_its_experiment(project):
    sweep = {"start": 1, "step": 1, "maximum": 2}
    project.edit(NODE, "vary", to=[{"workers.count": [1, 2]}, {"workers.cpu": sweep}])
    assert said(project) == [
        f"config/{NODE}: vary[1].workers.cpu: a sweep cannot be one of several ways; make it an "
        "experiment of its own"
    ]


def test_all_of_a_key_that_has_no_all(project):
    project.edit(NODE, "vary", to=[{"epochs": "all"}])
    assert said(project) == [
        f"config/{NODE}: vary[0].epochs: `all` is known of search.sampler, search.pruner,"
        " workers.accelerator only; list the values"
    ]


def test_what_the_default_narrows_is_no_fault_of_other_experiments(project):
    project.edit("config.yaml", "only", to={"epochs": [3]})
    mine = project.root / "mine.yaml"
    mine.write_text("experiments: [r-node]\n")
    assert project.plan(mine)
    mine.write_text("experiments: [r-node]\nonly: {lr: [1]}\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: only\.lr"):
        project.plan(mine)
    project.edit("config.yaml", "suts", to=["beta"])  # an experiment of mine has its own
    mine.write_text("experiments: [r-node]\nonly: null\n")
    assert {run.sut for run in project.plan(mine).runs.values()} == {"alpha"}


def test_only_must_name_what_is_tried(project):
    project.edit("config.yaml", "only", to={"workers.count": [1, 7], "epochs": [3]})
    assert said(project) == [
        "config/config.yaml: only.workers.count[1]: no experiment tries 7; there are: 1, 2",
        "config/config.yaml: only.epochs: no experiment of this configuration varies it; take it"
        " out, or set it to null in a file of your own",
    ]


def test_an_accelerator_that_is_named_and_not_there(project):
    project.edit(NODE, "vary", to={"workers.accelerator": ["cpu", "tpu"]})
    assert said(project) == [f"config/{NODE}: vary.workers.accelerator[1]: there is no tpu here"]


def test_more_workers_than_trials_are_reported_where_they_were_asked_for(project):
    project.edit(TESTBED, "allow_oversubscription", to=True)
    project.edit(NODE, "vary", "workers.count", to=[1, 6])
    assert said(project) == [
        "config/experiments/r-node.yaml: vary.workers.count[1]:"
        " more workers than trials: 6 for 4 (the points of the grid)"
    ]
    project.edit(NODE, "vary", "workers.count", to=[1, 2])
    project.edit("config.yaml", "set", to={"search.budget": 1})
    assert said(project) == [
        "config/workloads/small.yaml: workers.count:"
        " more workers than trials: 2 for 1 (search.budget)",
        "config/experiments/r-node.yaml: vary.workers.count[1]:"
        " more workers than trials: 2 for 1 (search.budget)",
    ]


def test_a_grid_is_the_bound_where_its_budget_of_trials_is_beyond_it(project):
    project.edit(TESTBED, "allow_oversubscription", to=True)
    project.edit(WORKLOAD, "search", "budget", to={"trials": 99, "seconds": 60})
    project.edit(NODE, "vary", "workers.count", to=[1, 6])
    assert said(project) == [
        "config/experiments/r-node.yaml: vary.workers.count[1]:"
        " more workers than trials: 6 for 4 (the points of the grid)"
    ]


def test_a_space_of_a_single_point(project):
    project.edit("config.yaml", "set", to={"space": "spot"})
    assert said(project) == [
        "config/spaces/spot.yaml: holds a single point: there is nothing to search"
    ]


def gamma(project, **search):
    project.edit("config.yaml", "suts", to=["gamma"])
    project.edit(WORKLOAD, "search", to=search)
    return said(project)


def test_a_strategy_whose_package_is_missing_names_it(project):
    assert gamma(project, sampler="gp", pruner="pbt") == [
        'config/workloads/small.yaml: search.sampler: gamma\'s sampler "gp" needs what is not'
        " installed: pip install no-such-package nor-this-one"
    ]


@pytest.mark.parametrize(
    ("sampler", "pruner", "possible"),
    [
        ("grid", "pbt", False),
        ("tpe", "pbt", False),
        ("tpe", "asha", False),
        ("random", "pbt", True),
        ("grid", "asha", True),
    ],
)
def test_a_pruner_and_a_sampler_that_exclude_each_other(project, sampler, pruner, possible):
    if possible:
        project.edit("config.yaml", "suts", to=["gamma"])
        project.edit(WORKLOAD, "search", to={"sampler": sampler, "pruner": pruner})
        assert project.plan()
        return
    assert gamma(project, sampler=sampler, pruner=pruner) == [
        "config/workloads/small.yaml: search.pruner: gamma cannot combine"
        f' pruner "{pruner}" with sampler "{sampler}"'
    ]


def test_a_strategy_that_pauses_trials_needs_what_can_go_on(project):
    project.edit("config.yaml", "suts", to=["gamma"])
    project.edit(WORKLOAD, "search", to={"pruner": "halting"})
    assert project.plan()
    source = "def train(phi, data, epochs, seed, report): ...\n"
    (project.root / "config" / "own.py").write_text(source)
    keys = {"trial": "own:train", "goal": {"score": "loss"}, "search": {"pruner": "halting"}}
    keys |= {"space": "four", "workers": {"count": 2}}
    for key in ("dataset", *keys):
        project.edit(WORKLOAD, key, to=keys.get(key))
    (sentence,) = said(project)
    assert sentence == (
        'config/workloads/small.yaml: search.pruner: gamma\'s pruner "halting" pauses trials and'
        " goes on with them: own:train needs functions pause and resume beside it"
        " (docs/your-workload.md)"
    )
    source += "def pause(model, path): ...\ndef resume(path): ...\n"
    (project.root / "config" / "own.py").write_text(source)
    assert project.plan()
    project.edit("testbeds/bench.yaml", "platform", to="afar")
    (sentence,) = said(project)
    assert "on afar not yet, as the state of a trial would have to get" in sentence


def test_what_only_the_sut_can_know_is_reported_at_its_key(project):
    assert gamma(project, sampler_options={"speed": 3}) == [
        "config/workloads/small.yaml: search.sampler_options.speed: gamma: no option speed"
    ]
    project.edit("config.yaml", "set", to={"search.sampler_options.speed": 4})
    assert gamma(project) == [
        "config/config.yaml: set.search.sampler_options.speed: gamma: no option speed"
    ]


def test_a_varied_pruner_is_reported_at_the_sut_that_cannot_combine_it(project):
    project.edit(NODE, "vary", to={"search.pruner": ["none", "pbt"]})
    project.edit(NODE, "suts", to=["gamma"])
    assert said(project) == [
        "config/experiments/r-node.yaml: suts[0]: gamma cannot combine"
        ' pruner "pbt" with sampler "grid"'
    ]


def test_options_that_optuna_refuses_are_reported_in_its_own_words(project):
    project.edit("config.yaml", "suts", to=["optuna"])
    options = {"n_startup_trials": 3, "n_startup": 3}
    project.edit(WORKLOAD, "search", to={"sampler": "tpe", "sampler_options": options})
    (sentence,) = said(project)
    assert sentence.startswith("config/workloads/small.yaml: search.sampler_options: optuna: ")
    assert "n_startup" in sentence
    search = {"pruner": "percentile", "pruner_options": {"percentile": 120.0}}
    project.edit(WORKLOAD, "search", to=search)
    (sentence,) = said(project)
    assert sentence.startswith("config/workloads/small.yaml: search.pruner_options: optuna: ")
    assert "0 and 100" in sentence
    search = {"pruner": "patient", "pruner_options": {"wrapped": "sleepy"}}
    project.edit(WORKLOAD, "search", to=search)
    (sentence,) = said(project)
    assert 'no "sleepy" to wrap; there are: none, median' in sentence
    project.edit(WORKLOAD, "search", to={"sampler": "tpe", "sampler_options": {"seed": 3}})
    assert said(project) == [
        "config/workloads/small.yaml: search.sampler_options.seed:"
        " optuna: the run sets it, from its own seed"
    ]


def test_brute_force_needs_something_to_enumerate(project):
    project.edit("config.yaml", "suts", to=["optuna"])
    project.edit(WORKLOAD, "search", to={"sampler": "bruteforce"})
    project.edit(SPACE, "lr", to={"low": 0.001, "high": 0.1, "log": True, "levels": 3})
    assert said(project) == [
        "config/spaces/four.yaml: lr:"
        " optuna: bruteforce needs choices, whole numbers or a `step` here"
    ]


def test_plain_has_no_options(project):
    project.edit("config.yaml", "suts", to=["plain"])
    project.edit(WORKLOAD, "search", to={"sampler_options": {"speed": 3}})
    assert said(project) == [
        "config/workloads/small.yaml: search.sampler_options.speed:"
        " plain: plain's strategies have no options"
    ]
    project.edit(WORKLOAD, "search", to={"pruner": "median"})
    assert said(project) == [
        'config/workloads/small.yaml: search.pruner: plain offers no pruner "median";'
        ' it has: only "none"'
    ]


def test_the_url_of_a_database_is_never_shown(project, monkeypatch):
    project.edit(TESTBED, "storage", to={"postgres_env": "SOME_URL"})
    for url in ("mysql://me:secret@host/db", "postgresql:me:secret", "secret"):
        monkeypatch.setenv("SOME_URL", url)
        (sentence,) = said(project)
        assert sentence.startswith("config/testbeds/bench.yaml: storage.postgres_env: ")
        assert "secret" not in sentence
    for raw in "@/#?%[ ":
        monkeypatch.setenv("SOME_URL", f"postgresql://me:sec{raw}ret@host/db")
        (sentence,) = said(project)
        assert sentence.startswith("config/testbeds/bench.yaml: storage.postgres_env: SOME_URL ho")
        assert "%40" in sentence
        assert "sec" not in sentence and "ret" not in sentence
    monkeypatch.setenv("SOME_URL", "postgresql://me:secret@host/db\n")
    assert "secret" not in project.plan().as_json()


@pytest.mark.parametrize(
    "keys",
    [
        {"prometheus": "http://me:s3cret@host:9090"},
        {"prometheus": "x" * 50 + "http://me:s3cret@host:9090"},
        {"prometheus": {"url": "http://me:s3/cret@host:9090"}},
        {"prometheus": {"url": "http://me:s3#cret@host:9090"}},
        {"prometheus": {"url": "http://host:s3cret"}},
        {"prometheus": {"url": "http://host:9090", "password": "s3cret"}},
        {"prometheus": {"url": "http://host:9090", "token_env": ["s3cret"]}},
        {"storage": {"postgres_env": {"password": "s3cret"}}},
        {"environment": ["TOKEN=s3cret"]},
        {"region": "http://me:s3cret@host"},
        {"http://me:s3cret@host": 1},
    ],
)
def test_what_was_written_into_the_wrong_place_is_not_shown_where_it_is_secret(project, keys):
    project.edit(TESTBED, next(iter(keys)), to=next(iter(keys.values())))
    sentences = said(project)
    assert sentences
    assert not any("s3" in sentence or "cret" in sentence for sentence in sentences)


# --- optional SUTs ----------------------------------------------------------------------------


def test_an_optional_sut_that_cannot_run_is_left_out_and_listed(project):
    project.edit(NODE, "optional_suts", to=["absent", "beta", "broken"])
    project.edit(WORKLOAD, "search", to={"sampler": "random"})
    plan = project.plan()
    assert {plan.run(run.folder).sut for run in plan.experiments["r-node"].runs} == {
        "alpha",
        "beta",
    }
    assert {one.sut: one.reason for one in plan.experiments["r-node"].unavailable} == {
        "absent": "absent cannot run here: java is not installed: install Java 17",
        "broken": "no_such_module:Broken cannot be loaded: No module named 'no_such_module'",
    }  # fmt: skip
    assert plan.experiments["baseline"].unavailable == []
    assert "install Java 17" in plan.as_json()


def test_the_settings_replace_optional_suts_too(project):
    project.edit(NODE, "optional_suts", to=["absent"])
    project.edit("config.yaml", "suts", to=["alpha"])
    assert project.plan().experiments["r-node"].unavailable == []
    project.edit("config.yaml", "suts", to=["absent"])
    assert said(project) == [
        "config/config.yaml: suts[0]: absent cannot run here:"
        " java is not installed: install Java 17"
    ]


def test_an_optional_sut_must_be_known_and_stand_in_one_list(project):
    project.edit(NODE, "optional_suts", to=["alpha", "beta-", "absent", "absent"])
    repeated, again, unknown = said(project)
    place = "config/experiments/r-node.yaml: optional_suts"
    assert repeated == f"{place}[0]: alpha stands in the list already"
    assert again == f"{place}[3]: absent stands in the list already"
    assert unknown.startswith(f'{place}[1]: there is no SUT "beta-"; there are: absent, alpha')


def test_a_sut_list_of_the_settings_is_reported_there(project):
    project.edit("config.yaml", "suts", to=["nobody"])
    assert all(s.startswith("config/config.yaml: suts[0]: there is no SUT") for s in said(project))


def test_a_random_search_of_a_continuous_range_needs_a_budget(project):
    project.edit(SPACE, "lr", to={"low": 0.001, "high": 0.1, "log": True})
    project.edit(WORKLOAD, "search", to={"sampler": "random"})
    assert said(project) == [
        "config/spaces/four.yaml: lr: a continuous range needs `levels` (or a `step`)"
        " to be counted (or search.budget, as a number of trials)"
    ]
    project.edit(WORKLOAD, "search", "budget", to=10)
    assert project.plan()


def test_more_than_the_machine_has_is_refused_unless_allowed(project):
    project.edit(WORKLOAD, "search", to={"sampler": "random", "budget": 30})
    project.edit(NODE, "vary", "workers.count", to=[1, 2, 8])
    assert said(project) == [
        "config/experiments/r-node.yaml: vary.workers.count[2]:"
        " alpha: 4 cores are asked for, the machine has 2: lower workers.count"
    ]
    project.edit(TESTBED, "allow_oversubscription", to=True)
    assert len(project.plan().runs) == 3


def test_too_much_is_reported_where_it_was_asked_for(project):
    project.edit(WORKLOAD, "search", to={"sampler": "random", "budget": 30})
    project.edit(WORKLOAD, "workers", to={"count": 16})
    assert said(project)[0] == (
        "config/workloads/small.yaml: workers:"
        " alpha: 8 cores are asked for, the machine has 2: lower workers.count"
    )
    project.edit("config.yaml", "set", to={"workers.count": 12, "workers.memory_mb": 64})
    assert said(project)[0] == (
        "config/config.yaml: set.workers.count:"
        " alpha: 6 cores are asked for, the machine has 2: lower workers.count"
    )


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (NODE, "title: a\ntitle: b\nbase: small\nsuts: [alpha]\n",
         "title: line 2: this key stands here for the second time"),
        (WORKLOAD, "dataset: digits\nspace: four\nworkers:\n  count: 1\n  count: 2\n",
         "workers.count: line 5: this key stands here for the second time"),
        ("config.yaml", "testbed: bench\nexperiments: [baseline]\ntestbed: bench\n",
         "testbed: line 3: this key stands here for the second time"),
        (NODE, "title: [\n", "line 2: not valid YAML: expected the node content, but found"
         " '<stream end>'"),
        ("config.yaml", "a: b: c\n", "line 1: not valid YAML: mapping values are not allowed here"),
        (SPACE, "lr: &a [*b]\n", "line 1: not valid YAML: found undefined alias 'b'"),
        (SPACE, "lr: !!python/object:os.system {}\n", "line 1: not valid YAML: could not determine"
         " a constructor for the tag 'tag:yaml.org,2002:python/object:os.system'"),
    ],
)  # fmt: skip
def test_faults_of_the_yaml_itself_have_a_line(project, name, text, sentence):
    project.write(name, text)
    assert said(project) == [f"config/{name}: {sentence}"]


def test_a_file_that_is_not_text(project):
    (project.root / "config" / SPACE).write_bytes(b"lr: \xff\n")
    assert said(project) == ["config/spaces/four.yaml: not UTF-8 text (byte 4)"]


def test_a_missing_table_and_a_missing_default_file(project):
    (project.root / "config/power.yaml").unlink()
    assert said(project) == ["config/power.yaml: there is no such file"]
    (project.root / "config/config.yaml").unlink()
    assert said(project) == ["config/config.yaml: there is no such file"]


def test_a_missing_key_is_named(project):
    project.edit(NODE, "title", to=None)
    project.edit(WORKLOAD, "space", to=None)
    assert said(project) == [
        "config/workloads/small.yaml: space: is missing",
        "config/experiments/r-node.yaml: title: is missing",
    ]


def test_everything_is_reported_at_once_and_once(project):
    project.edit("config.yaml", "experiments", to=["baseline", "r-node", "r-nod"])
    project.edit("config.yaml", "set", to={"goal.target": 2})
    project.edit(NODE, "vary", to={"workers.count": [0, 1, 1]})
    project.edit(WORKLOAD, "workers", to={"memory_mb": 1})
    project.edit(TESTBED, "cpu_per_vcpu", to=2)
    project.edit(SPACE, "ls", to={"choices": ["big"]})
    with pytest.raises(ConfigError) as caught:
        project.plan()
    assert str(caught.value).splitlines() == [
        "config/testbeds/bench.yaml: cpu_per_vcpu: must be at most 1 (got 2)",
        "config/workloads/small.yaml: workers.memory_mb: must be at least 64 (got 1)",
        "config/spaces/four.yaml: ls.choices[0]: units per hidden layer: must be a whole number"
        " of at least 1 (got big)",
        "config/config.yaml: set.goal.target: the scores of images are above 0 and at most 1"
        " (got 2)",
        "config/experiments/r-node.yaml: vary.workers.count[2]: 1 stands in the list already",
        "config/experiments/r-node.yaml: vary.workers.count[0]: must be at least 1 (got 0)",
        "config/config.yaml: experiments[2]: there is no config/experiments/r-nod.yaml;"
        ' did you mean "r-node"?',
        "7 errors; nothing was started.",
    ]


# --- data and results -------------------------------------------------------------------------


@pytest.fixture
def images(project):
    """The project on MNIST, with an empty data folder."""
    project.edit(WORKLOAD, "dataset", to="mnist")
    (project.root / "images").mkdir()
    return project


def test_without_a_folder_the_data_are_downloaded(images):
    assert images.plan().datasets == ["mnist"]


def test_a_missing_data_folder(images, monkeypatch, tmp_path):
    images.edit("config.yaml", "data", to="nowhere")
    assert said(images) == ["config/config.yaml: data: nowhere: there is no such folder"]
    images.edit("config.yaml", "data", to="images")
    assert said(images) == [
        "config/config.yaml: data: images/MNIST/raw: there is no such folder; it must hold"
        " train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte,"
        " t10k-labels-idx1-ubyte"
    ]
    images.edit("config.yaml", "data", to=None)
    monkeypatch.setenv("TRIALWATT_DATA", str(tmp_path / "gone"))
    assert said(images) == [
        f"environment: TRIALWATT_DATA: {tmp_path / 'gone'}: there is no such folder"
    ]


def test_each_raw_file_that_is_missing_or_wrong_is_named(images):
    raw = images.root / "images/MNIST/raw"
    raw.mkdir(parents=True)
    (raw / "train-labels-idx1-ubyte").write_bytes(bytes(60_007))
    (raw / "t10k-labels-idx1-ubyte").write_bytes(bytes(10_008))
    images.edit("config.yaml", "data", to="images")
    assert said(images) == [
        "config/config.yaml: data: images/MNIST/raw/train-images-idx3-ubyte: the file is missing",
        "config/config.yaml: data: images/MNIST/raw/train-labels-idx1-ubyte: is truncated:"
        " 60,007 bytes, must be 60,008",
        "config/config.yaml: data: images/MNIST/raw/t10k-images-idx3-ubyte: the file is missing",
        "config/config.yaml: data: images/MNIST/raw/t10k-labels-idx1-ubyte: wrong checksum"
        f" (MD5 {hashlib.md5(bytes(10_008)).hexdigest()},"
        " published 27ae3e4e09519cfbb04c329615203637)",
    ]


def test_data_and_testbed_are_reported_together(images):
    images.edit("config.yaml", "data", to="nowhere")
    images.edit(TESTBED, "pue", to=0.5)
    assert said(images) == [
        "config/testbeds/bench.yaml: pue: must be at least 1 (got 0.5)",
        "config/config.yaml: data: nowhere: there is no such folder",
    ]


def test_digits_never_ask_for_a_folder(project):
    project.edit("config.yaml", "data", to="nowhere")
    assert project.plan()


def test_a_results_folder_that_is_a_file(project):
    (project.root / "results").write_text("")
    assert said(project) == ['config/config.yaml: results: "results" is not a folder']
    project.edit("config.yaml", "results", to="results/deep")
    (sentence,) = said(project)
    assert sentence.startswith("config/config.yaml: results: cannot write to ")
    assert sentence.endswith(": Not a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_results_folder_without_permission(project):
    (project.root / "results").mkdir(mode=0o500)
    assert said(project) == [
        "config/config.yaml: results: cannot write to results: Permission denied"
    ]


def test_a_full_disk(project, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**9, 10**9, 3 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert said(project) == [
        "config/config.yaml: results: the disk is full: 3 MB free, 50 MB needed"
    ]


def test_planning_starts_nothing(project):
    before = sorted(project.root.rglob("*"))
    project.plan()
    assert sorted(project.root.rglob("*")) == before


# --- which file holds a setting ----------------------------------------------------------------


def test_the_file_that_decides_a_setting_is_named(project):
    project.write("more.yaml", {"repetitions": 0})
    more = project.root / "config/more.yaml"
    assert said(project, more) == ["config/more.yaml: repetitions: must be at least 1 (got 0)"]
    config = {**project.read("config.yaml"), "repetitions": 0}
    for files in ([more, *project.files], [*project.files, more]):  # Snakemake: the first
        with pytest.raises(ConfigError, match=r"^config/more.yaml: repetitions: must be"):
            load_plan(config, root=project.root, files=files)


def test_a_setting_of_no_file_was_given_on_the_command_line(project):
    config = {**project.read("config.yaml"), "seed": -1}
    with pytest.raises(ConfigError, match=r"^command line: seed: must be at least 0 \(got -1\)"):
        load_plan(config, root=project.root, files=project.files)
    with pytest.raises(ConfigError, match=r"^config/config.yaml: seed: must be at least 0"):
        load_plan(config, root=project.root)


def test_a_missing_setting_is_looked_for_in_the_default_file(project):
    with pytest.raises(ConfigError, match=r"^config/config.yaml: experiments: is missing"):
        load_plan({}, root=project.root)


def test_config_errors_are_for_the_user(project):
    with pytest.raises(TrialwattError):
        load_plan({}, root=project.root)


def test_what_is_wrong_with_the_platform_itself_is_said_once(project):
    project.edit(TESTBED, "enforcement", to="soft")
    assert said(project) == [f"config/{TESTBED}: platform: soft limits cannot be had here"]
