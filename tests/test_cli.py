import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def trialwatt(*arguments, folder=ROOT):
    command = [sys.executable, "-m", "trialwatt.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_help_names_the_commands():
    done = trialwatt("--help")
    assert done.returncode == 0
    assert "check" in done.stdout
    assert "schema" in done.stdout


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from trialwatt.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pandas', 'numpy', 'pydantic', 'yaml', 'optuna', 'rich'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_planning_imports_neither_torch_nor_a_framework():
    code = (
        "import sys; from trialwatt.config.planner import load_plan\n"
        "from trialwatt.config.registry import Registry\n"
        "for name in ('plain', 'optuna'):\n"
        "    assert Registry('trialwatt.suts').load(name)[0].name == name\n"
        "print(sorted({'torch', 'pandas', 'optuna', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(("more", "count"), [([], 5), (["--configfile", "config/mnist.yaml"], 7)])
def test_the_shipped_configuration_is_ok(more, count, monkeypatch):
    monkeypatch.delenv("TRIALWATT_DATA", raising=False)
    done = trialwatt("check", *more)
    assert done.stderr == ""
    assert done.stdout == f"ok: 3 experiments, {count} configurations\n"


def test_a_plan_is_printed_for_a_machine_that_cannot_run_it(tmp_path):
    (tmp_path / "mine.yaml").write_text("set: {workers.memory_mb: 1000000000}\n")
    done = trialwatt("plan", "--configfile", str(tmp_path / "mine.yaml"))
    assert done.returncode == 1
    assert "in all" in done.stdout
    assert f"{tmp_path}/mine.yaml: set.workers.memory_mb: plain: " in done.stderr
    assert done.stderr.endswith("nothing was started.\n")


def test_problems_go_to_stderr_without_a_traceback(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text("experiments: [baseline]\nsede: 1\nseed: -1\n")
    done = trialwatt("check", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines == [
        "config/config.yaml: seed: must be at least 0 (got -1)",
        'config/config.yaml: sede: unknown key; did you mean "seed"?',
        "config/prices.yaml: there is no such file",
        "config/carbon.yaml: there is no such file",
        "config/power.yaml: there is no such file",
        "config/config.yaml: testbed: there is no config/testbeds/local.yaml; there are: none",
        "config/config.yaml: experiments[0]: there is no config/experiments/baseline.yaml;"
        " there are: none",
        "7 errors; nothing was started.",
    ]
    assert "Traceback" not in done.stderr


def test_a_missing_configuration_is_one_sentence(tmp_path):
    done = trialwatt("check", "--configfile", "config/mine.yaml", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "config/config.yaml: there is no such file",
        "config/mine.yaml: there is no such file",
        "2 errors; nothing was started.",
    ]


def test_an_unknown_option_is_an_error():
    assert trialwatt("check", "--configfil", "x").returncode == 2


def test_the_schemas_are_written_below_the_current_folder(tmp_path):
    done = trialwatt("schema", "--write", folder=tmp_path)
    assert done.stdout.split() == [
        f"config/schema/{name}.json"
        for name in ("settings", "experiment", "workload", "space",
                     "testbed", "prices", "carbon", "power")
    ]  # fmt: skip
    for name in done.stdout.split():
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()
    printed = trialwatt("schema", folder=tmp_path)
    assert printed.stdout.startswith("{")


def test_the_version():
    from trialwatt import __version__

    assert trialwatt("--version").stdout == f"{__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["suts", "--write", "no/folder/x.md"], "no/folder/x.md: No such file or directory\n"),
        (["verify", f"{__file__}/x"], f"{__file__}/x: there is no such file\n"),
        (["trace", "x" * 300], "there is no such file\n"),
    ],
)
def test_a_path_that_cannot_be_used_is_one_sentence(tmp_path, arguments, said):
    done = trialwatt(*arguments, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith(said)
    assert done.stderr.count("\n") == 1


def ended(error: str) -> subprocess.CompletedProcess:
    """main() of a command that ends with this error."""
    code = (
        "from trialwatt import cli\n"
        "from trialwatt.errors import TrialwattError\n"
        f"def app(): raise {error}\n"
        "cli.app = app\n"
        "cli.main()\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_a_full_disk_names_no_file_and_is_one_sentence():
    done = ended("OSError(28, 'No space left on device')")
    assert (done.returncode, done.stderr) == (1, "No space left on device\n")


def test_a_message_cannot_steer_the_terminal():
    done = ended("TrialwattError('a\\x1b[2J: b\\nc')")
    assert (done.returncode, done.stderr) == (1, "a\\x1b[2J: b\nc\n")


@pytest.mark.parametrize("error", ["ValueError('x')", "OSError('x')"])
def test_a_fault_of_ours_keeps_its_traceback(error):
    assert "Traceback" in ended(error).stderr
