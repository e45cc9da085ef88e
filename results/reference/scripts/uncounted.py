from pathlib import Path

from trialwatt.config.identity import run_label, run_of
from trialwatt.lifecycle.announce import announce
from trialwatt.lifecycle.execute import execute
from trialwatt.lifecycle.script import user_errors

with user_errors(snakemake.log[0]):
    config = run_of(snakemake.params.config, Path(snakemake.input.testbed))
    said = {"warm_up": f"warm-up of {config.sut}", "scout": f"scouting {run_label(config)}"}
    announce(Path(snakemake.params.results), f"{said[snakemake.rule]}, not counted")
    execute(
        config=config,
        repetition=0,
        data=snakemake.input.data,
        testbed_facts=snakemake.input.testbed,
        results=snakemake.params.results,
        folder=Path(snakemake.output[0]),
        failure_is_result=True,
    )
