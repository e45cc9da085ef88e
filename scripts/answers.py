from pathlib import Path

from trialwatt.config.tables import PowerModel
from trialwatt.figures.answers import write_answers
from trialwatt.figures.make import source_of
from trialwatt.lifecycle.script import user_errors
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.metrics.context import MetricsContext, read_intensity

with user_errors(snakemake.log[0]):
    values = dict(snakemake.params.context)
    for file in snakemake.input.carbon:  # one, or none
        values["intensity"] = read_intensity(Path(file))
    write_answers(
        sources=[source_of(source) for source in snakemake.params.sources],
        context=MetricsContext(**values),
        sets={
            name: PowerParameters.of(PowerModel(**model))
            for name, model in snakemake.params.power.items()
        },
    )
