from pathlib import Path

from trialwatt.config.identity import run_folder, run_label, run_of
from trialwatt.lifecycle.announce import announce, standing
from trialwatt.lifecycle.execute import attempt
from trialwatt.lifecycle.script import user_errors

with user_errors(snakemake.log[0]):
    config, repetition = (
        run_of(snakemake.params.config, Path(snakemake.input.testbed)),
        snakemake.wildcards.rep,
    )
    results = Path(snakemake.params.results)
    announce(results, f"{config.sut} {run_label(config)}, repetition {repetition}")
    attempt(
        config=config,
        repetition=int(repetition),
        data=snakemake.input.data,
        testbed_facts=snakemake.input.testbed,
        results=snakemake.params.results,
        block=standing(results, run_folder(config), int(repetition)),
    )
