from pathlib import Path

from trialwatt.config.functions import source_of
from trialwatt.config.models import Function
from trialwatt.lifecycle.script import user_errors
from trialwatt.workload.inputs import take_in

with user_errors(snakemake.log[0]):
    function = Function.model_validate_json(snakemake.params.function)
    source = source_of(function, Path.cwd())
    take_in(function, source, Path(snakemake.output[0]), imports=snakemake.params.imports)
