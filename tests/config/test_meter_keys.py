"""The testbed's keys of meters and carbon: what is wrong is said with its file and key."""

from __future__ import annotations

import pytest

from trialwatt.config.identity import run_hash
from trialwatt.config.models import Testbed
from trialwatt.errors import ConfigError
from trialwatt.meters.prometheus_options import Prometheus

BENCH = "testbeds/bench.yaml"
KEPLER = {"url": "http://localhost:9090", "preset": "kepler"}


def said(project) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        project.plan()
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("path", "to", "sentence"),
    [
        (
            ("meters",),
            ["model", "prometheus"],
            "meters[1]: prometheus needs the section `prometheus`, which says which server to ask",
        ),
        (("meters",), ["model", "model"], 'meters[1]: "model" is there twice'),
        (
            ("prometheus",),
            KEPLER | {"url": "localhost:9090"},
            "prometheus.url: must be an address such as http://localhost:9090",
        ),
        (
            ("prometheus",),
            KEPLER | {"url": "http://me:secret@host"},
            "prometheus.url: must hold no credentials and no parameters: name the environment "
            "variables that hold them in token_env, or in user_env and password_env",
        ),
        (
            ("prometheus",),
            KEPLER | {"token_env": "my secret token"},
            "prometheus.token_env: must be the name of an environment variable that holds it",
        ),
        (
            ("prometheus",),
            KEPLER | {"user_env": "USER_NAME"},
            "prometheus: user_env and password_env go together",
        ),
        (
            ("prometheus",),
            KEPLER | {"token_env": "A", "user_env": "B", "password_env": "C"},
            "prometheus: token_env and user_env exclude each other",
        ),
        (
            ("prometheus",),
            {"url": "http://localhost"},
            "prometheus: a custom preset needs `queries`",
        ),
        (
            ("prometheus",),
            KEPLER | {"preset": "keppler"},
            "prometheus.preset: must be 'kepler', 'scaphandre', 'dcgm' or 'custom' "
            '(got "keppler")',
        ),
        (
            ("prometheus",),
            KEPLER | {"queries": {"rack": {"query": "up"}}},
            "prometheus.queries.rack.unit: is missing",
        ),
        (
            ("accelerator_board_w",),
            {"devices": 1, "watts": 300},
            "accelerator_board_w.source: is missing",
        ),
        (
            ("accelerator_board_w",),
            {"devices": 0, "watts": 300, "source": "x"},
            "accelerator_board_w.devices: must be at least 1 (got 0)",
        ),
    ],
)
def test_one_fault_is_one_exact_sentence(project, path, to, sentence):
    project.edit(BENCH, *path, to=to)
    assert said(project) == [f"config/{BENCH}: {sentence}"]


def test_a_secret_in_the_wrong_place_is_not_repeated(project):
    for section in (
        KEPLER | {"url": "http://me:s3cret@host"},
        KEPLER | {"url": "http://host/?token=s3cret"},
        KEPLER | {"password_env": "s3cret value", "user_env": "A"},
    ):
        project.edit(BENCH, "prometheus", to=section)
        assert "s3cret" not in " ".join(said(project))


# --- prices of accelerators ----------------------------------------------------------------------


def price(project, **models: float) -> None:
    project.edit("prices.yaml", "sets", "gcp-n2", "accelerators_per_h", to=models)


@pytest.mark.parametrize(
    ("models", "named", "sentence"),
    [
        (
            {"l4": 0.56, "v100": 2.48},
            {"gpu": "v10"},
            'accelerator_model.gpu: "v10" is not in the set gcp-n2 of config/prices.yaml; '
            'there are: l4, v100; did you mean "v100"?',
        ),
        (
            {},
            {"gpu": "l4"},
            'accelerator_model.gpu: "l4" is not in the set gcp-n2 of config/prices.yaml; '
            "it has no accelerators",
        ),
        (
            {"l4": 0.56},
            {"npu": "l4"},
            "accelerator_model.npu: must be 'gpu' or 'tpu' (got \"npu\")",
        ),
    ],
)
def test_a_model_without_a_price_is_one_exact_sentence(project, models, named, sentence):
    price(project, **models)
    project.edit(BENCH, "accelerator_model", to=named)
    assert said(project) == [f"config/{BENCH}: {sentence}"]


def test_an_accelerator_is_priced_as_the_model_that_the_testbed_names(project, monkeypatch):
    monkeypatch.chdir(project.root)
    price(project, **{"l4": 0.56, "a100-40gb": 2.934, "tpu": 1.2})
    plain = project.plan()
    assert plain.context.price_per_accelerator_h == {"tpu": 1.2}
    project.edit(BENCH, "accelerator_model", to={"gpu": "a100-40gb"})
    named = project.plan()
    assert named.context.price_per_accelerator_h == {"gpu": 2.934, "tpu": 1.2}
    # another price redoes no measurement
    assert list(plain.runs) == list(named.runs)


# --- carbon series ------------------------------------------------------------------------------


def write_series(project, *rows: str) -> None:
    (project.root / "intensity.csv").write_text("\n".join(["utc_start,g_per_kwh", *rows]) + "\n")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (None, "intensity.csv: there is no such file"),
        ([], "intensity.csv: needs two rows at least; the last holds as long as its neighbour"),
        (["2026-01-01,1", "2026-01-02,x"], "intensity.csv: line 3: could not convert"),
        (["2026-01-02,1", "2026-01-01,1"], "intensity.csv: line 3: utc_start must rise"),
        (["2026-01-01,1", "2026-01-02,-1"], "intensity.csv: line 3: g_per_kwh must be at least 0"),
        (["someday,1", "2026-01-02,1"], "intensity.csv: line 2: Invalid isoformat"),
    ],
)
def test_a_bad_series_is_refused_with_file_and_key(project, rows, sentence):
    project.edit(BENCH, "carbon_series", to="intensity.csv")
    if rows is not None:
        write_series(project, *rows)
    (problem,) = said(project)
    assert problem.startswith(f"config/{BENCH}: carbon_series: {sentence}")


def hours(*numbers: int) -> list[str]:
    return [f"2026-01-01T{hour:02}:00:00Z,{100 + hour}" for hour in numbers]


def test_a_series_with_holes_is_planned_with(project):
    """Whether a run lies in one, its metrics find out (tests/config/test_carbon_series.py)."""
    project.edit(BENCH, "carbon_series", to="intensity.csv")
    for numbers in ((0, 1, 2, 3, 4, 5, 7, 8), (0, 6, 22), (0, 1, 2, 4, 7, 8, 12)):
        write_series(project, *hours(*numbers))
        project.plan()


@pytest.mark.parametrize("content", [b"\xff\xfe\x00u", b"time,value\n1,2\n", b""])
def test_a_file_that_is_no_series_is_refused(project, content):
    project.edit(BENCH, "carbon_series", to="intensity.csv")
    (project.root / "intensity.csv").write_bytes(content)
    (problem,) = said(project)
    assert problem.startswith(f"config/{BENCH}: carbon_series: intensity.csv: ")


def test_a_folder_is_no_series(project):
    project.edit(BENCH, "carbon_series", to="folder")
    (project.root / "folder").mkdir()
    (problem,) = said(project)
    assert problem.endswith("carbon_series: folder: cannot be read: Is a directory")


def test_a_series_goes_before_the_region(project, monkeypatch):
    monkeypatch.chdir(project.root)
    plan = project.plan()
    assert plan.carbon_series == []
    said = plan.context
    assert (said.intensity, said.region, said.carbon_year) == (475, "world", 2018)

    project.edit(BENCH, "carbon_series", to="intensity.csv")
    write_series(project, "2025-12-31T23:00:00Z,300", "2026-01-01,500")
    with_series = project.plan()
    assert with_series.carbon_series == ["intensity.csv"]
    said = with_series.context
    assert said.intensity is None  # whoever forgets to read the file is refused
    assert (said.region, said.carbon_year) == ("series intensity.csv", 2025)
    assert "intensity.csv" in with_series.files
    assert "intensity.csv" in with_series.source("baseline")["config_files"]
    # a new series redoes no measurement
    assert [run_hash(run) for run in plan.runs.values()] == [
        run_hash(run) for run in with_series.runs.values()
    ]


def test_what_the_meters_ask_is_part_of_a_runs_identity(run_config):
    plain, asked = run_config(), run_config(testbed={"prometheus": KEPLER})
    assert run_hash(plain) != run_hash(asked)
    bed = Testbed(prometheus=KEPLER | {"url": "http://h:9/"})
    assert bed.options(Prometheus).url == "http://h:9"
