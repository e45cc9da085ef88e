from pathlib import Path

from trialwatt.analysis.sweeping import Move, Sweep, write_end
from trialwatt.lifecycle.script import user_errors

with user_errors(snakemake.log[0]):
    last = Move.read(Path(snakemake.input[-1]))
    write_end(Sweep.of(snakemake.params.sweep), last, Path(snakemake.output[0]))
