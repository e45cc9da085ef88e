"""Whatever is asked for, all runs begin in the drawn order of their blocks, sweeps included.

Runs and scouts are stand-ins that take no time; rules, moves and places are the workflow's own.
"""

import pytest
from tests.blocks import chance_of_order, check_blocks
from tests.workflows import copied, snakemake

SETTINGS = """
testbed: local
experiments: [r-cpu, r-mem, s-dur]
base: digits-ff
set: {workers.count: 2, workers.cpu: 2}
only: {epochs: [1]}
suts: [plain, optuna]
repetitions: 2
"""
SWEPT = {"r-cpu": "{start: 1, step: 1, maximum: 2, until: jct}",
         "r-mem": "{start: 512, step: 256, maximum: 1024, until: jct}"}  # fmt: skip
RUN = """
import json, os, time
from pathlib import Path
import psutil
from trialwatt.config.identity import run_folder, run_of
from trialwatt.lifecycle.announce import standing
from trialwatt.platforms.processes import WORKFLOW_PID

config = run_of(snakemake.params.config, Path(snakemake.input.testbed))
folder, results = Path(snakemake.output[0]), Path(snakemake.params.results)
rep = snakemake.wildcards.get("rep")
block = standing(results, run_folder(config), int(rep)) if rep else None
(folder / "records").mkdir(parents=True)
steps = [("setup", "start", 0), ("collect", "end", 10**9)]
lines = [{"kind": "step", "step": step, "status": how, "m": m} for step, how, m in steps]
text = "".join(json.dumps(line) + "\\n" for line in lines)
(folder / "records" / "harness.jsonl").write_text(text)
manifest = {"status": "completed", "config": {"sut": config.sut}, "block": block}
threads = psutil.Process(int(os.environ[WORKFLOW_PID])).num_threads()
(folder / "threads").write_text(str(threads))
(folder / "run.json").write_text(json.dumps(manifest | {"started_utc_ns": time.time_ns()}))
"""
TESTBED = """
import json
from pathlib import Path

known = {"testbed": json.loads(snakemake.params.testbed)}
Path(snakemake.output[0]).write_text(json.dumps(known))
"""


@pytest.mark.parametrize("target", [["runs"], ["all", "--until", "resolved_plan", "sweep", "run"]])
def test_blocks_begin_as_drawn(tmp_path, target):
    project = copied(tmp_path, SETTINGS)
    for name, treatments in SWEPT.items():
        file = project / "config" / "experiments" / f"{name}.yaml"
        before, _, after = file.read_text().partition("{start")
        file.write_text(f"{before}{treatments}{after[after.index('}') + 1 :]}")
    for script, text in (("run", RUN), ("uncounted", RUN), ("testbed", TESTBED)):
        (project / "scripts" / f"{script}.py").write_text(text)
    code, said = snakemake(project, "results/plan.json", *target)
    assert code == 0, said
    found = check_blocks(project / "results")
    blocks = found[found.number > 0]
    assert set(blocks.number) == {1, 2} and set(blocks.sut) == {"plain", "optuna"}
    assert found.place.str.startswith("scouts").any()
    assert chance_of_order(list(blocks.sut)) > 0.01
    threads = [int(file.read_text()) for file in (project / "results").rglob("threads")]
    assert len(threads) > 20 and max(threads) < min(threads) + 8, "each job leaves a timer"
