from pathlib import Path

from trialwatt.config.models import Testbed
from trialwatt.lifecycle.cluster import bring_up_data
from trialwatt.lifecycle.script import trapped, user_errors

with user_errors(snakemake.log[0]), trapped():
    bring_up_data(
        testbed=Testbed.model_validate_json(snakemake.params.testbed),
        data=Path(snakemake.input.data),
        output=Path(snakemake.output[0]),
    )
