from trialwatt.config.tables import PowerModel
from trialwatt.figures.answers import write_answers
from trialwatt.figures.make import source_of
from trialwatt.lifecycle.script import user_errors
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.metrics.context import MetricsContext

with user_errors(snakemake.log[0]):
    write_answers(
        sources=[source_of(source) for source in snakemake.params.sources],
        context=MetricsContext.of(snakemake.params.context, snakemake.input.carbon),
        sets={
            name: PowerParameters.of(PowerModel(**model))
            for name, model in snakemake.params.power.items()
        },
    )
