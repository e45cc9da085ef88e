"""What `trialwatt.measure` needs, and what it costs those who do not use it."""

import subprocess
import sys

from trialwatt.review.sandbox import BLOCKED


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_it_needs_no_framework_no_torch_and_no_snakemake():
    heavy = sorted({*BLOCKED, "pandas", "pyarrow", "matplotlib"})
    run(
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({heavy!r}))\n"  # None: cannot be imported
        "import trialwatt\n"
        "with trialwatt.measure(meters=['model']) as m:\n"
        "    with m.trial({'lr': 1}): pass\n"
        "m.result.to_json()\n"
        "import trialwatt.measure.optuna, trialwatt.measure.hyperopt, trialwatt.measure.ray\n"
    )


def test_the_package_alone_imports_none_of_it():
    said = run(
        "import sys, trialwatt\n"
        "print([n for n in sys.modules if n.startswith('trialwatt.')], 'numpy' in sys.modules)"
    )
    assert said == "[] False\n"


def test_it_is_called_however_it_was_imported():
    run(
        "import trialwatt.measure.settings\n"
        "import trialwatt\n"
        "with trialwatt.measure(meters=['model'], line=False): pass\n"
        "from trialwatt import measure\n"
        "with measure(meters=['model'], line=False): pass\n"
        "@measure\n"
        "def f(): return 3\n"
        "assert f() == 3\n"
    )
