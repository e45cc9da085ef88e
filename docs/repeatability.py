"""Run the same job twice, with one worker, for each SUT; docs/repeatability.md is what it finds.

    python docs/repeatability.py

A job of a dozen points on digits. Two runs repeat each other where their trials have the same φ,
in the same order, with the same scores; and the same model wins with the same test score.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).with_suffix(".md")
HEAD = """# Repeatability

The same configuration, run twice with one worker: are φ, their order, and the scores the same, to
the last digit? The same seeds are given to every SUT; that a framework does not repeat itself with
them is a fact about it, no fault of the run. With more workers the order in which trials end is
the machine's, and what a sampler learns from them differs. `python docs/repeatability.py` makes
this page.

| SUT | sampler | trials | same φ in the same order | same scores | same winner and test score |
|---|---|---|---|---|---|
"""
SAMPLERS = {
    "plain": ("grid", "random"),
    "optuna": ("grid", "random", "tpe", "nsga2"),
    "hyperopt": ("random", "tpe"),
    "ray": ("grid", "random"),
}
SPACE = {
    "lr": {"choices": [0.001, 0.003, 0.01]},
    "decay": {"choices": [1e-6]},
    "ls": {"choices": [16, 32]},
    "ln": {"choices": [1, 2]},
}
BUDGET = 12


def main(names: list[str]) -> None:
    """names: of SUTs; by default all that can run here."""
    from trialwatt import suts

    names = names or [name for name in SAMPLERS if not suts.get(name).available()]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        data, facts = _prepared(Path(folder))
        for name in names:
            for sampler in SAMPLERS[name]:
                ran = [_ran(Path(folder, str(n)), name, sampler, data, facts) for n in (1, 2)]
                rows.append(f"| {name} | {sampler} | {_compared(*ran)} |")
                print(rows[-1], file=sys.stderr, flush=True)
    PAGE.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")


def _prepared(folder: Path) -> tuple[str, str]:
    """The digits, and this machine's facts with modelled power."""
    from trialwatt.config.models import Testbed
    from trialwatt.meters.choose import open_available
    from trialwatt.meters.coefficients import PowerParameters
    from trialwatt.records.testbed_facts import describe, measure_idle, write_testbed
    from trialwatt.workload.sources import prepare

    data, facts = folder / "digits.safetensors", folder / "facts.json"
    prepare("digits", data)
    power = PowerParameters(
        min_w=1.0, max_w=4.0, memory_w_per_gb=0.4, included_gb_per_vcpu=4, source="of no account"
    )
    bed = Testbed(meters=["model"], idle_s=0)
    with open_available(bed, power) as chosen:
        idle = measure_idle(chosen.meters, 0, bed.sample_hz)
        write_testbed(facts, describe("here", bed, power, chosen.facts(), idle))
    return str(data), str(facts)


def _ran(results: Path, sut: str, sampler: str, data: str, facts: str) -> tuple[list, list, list]:
    """φ in order, scores in order, the winner and its test score."""
    from trialwatt.config.models import RunConfig, Testbed, Workload
    from trialwatt.contract.reading import manifest, trials
    from trialwatt.lifecycle.execute import execute

    search = {"sampler": sampler} | ({} if sampler == "grid" else {"budget": BUDGET})
    workload = {
        "dataset": "digits",
        "epochs": 3,
        "space": SPACE,
        "search": search,
        "workers": {"count": 1, "cpu": 2, "memory_mb": 1024},
    }
    bed = {"cpu_per_vcpu": 0.5, "meters": ["model"], "idle_s": 0}
    bed |= {"quiet_wait_s": 0, "allow_busy_machine": True}
    config = RunConfig(
        sut=sut,
        workload=Workload.model_validate(workload),
        testbed_name="here",
        testbed=Testbed.model_validate(bed),
        seed=1,
    )
    folder = execute(config, 1, data, facts, str(results))
    run = manifest(folder)
    if run["status"] != "completed":
        raise SystemExit(f"{sut}, {sampler}: {run['status']}: {run['reason']}")
    ended = sorted(trials(folder).values(), key=lambda trial: trial["number"])
    phis = [json.dumps(trial["phi"], sort_keys=True) for trial in ended]
    return phis, [trial["scores"] for trial in ended], [run["best"]["phi"], run["test"]]


def _compared(first: tuple[list, list, list], second: tuple[list, list, list]) -> str:
    same = ["yes" if x == y else "no" for x, y in zip(first, second, strict=True)]
    if first[0] != second[0] and sorted(first[0]) == sorted(second[0]):
        same[0] = "the same, in another order"
    return " | ".join([str(len(first[0])), *same])


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(sys.argv[1:])
