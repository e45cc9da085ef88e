from trialwatt.figures.make import make_table, source_of
from trialwatt.lifecycle.script import user_errors

with user_errors(snakemake.log[0]):
    make_table(source_of(snakemake.params.source))
