from pathlib import Path

from trialwatt.config.identity import run_label
from trialwatt.config.models import RunConfig
from trialwatt.lifecycle.announce import announce
from trialwatt.lifecycle.attempts import attempt
from trialwatt.lifecycle.script import user_errors

with user_errors(snakemake.log[0]):
    config, repetition = (
        RunConfig.model_validate_json(snakemake.params.config),
        snakemake.wildcards.rep,
    )
    announce(
        Path(snakemake.params.results), f"{config.sut} {run_label(config)}, repetition {repetition}"
    )
    attempt(
        config=config,
        repetition=int(repetition),
        data=snakemake.input.data,
        testbed_facts=snakemake.input.testbed,
        results=snakemake.params.results,
    )
