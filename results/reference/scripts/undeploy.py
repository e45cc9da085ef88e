from pathlib import Path

from trialwatt.config.models import Testbed
from trialwatt.lifecycle.cluster import undeploy
from trialwatt.lifecycle.locks import measuring
from trialwatt.lifecycle.script import user_errors

with user_errors(snakemake.log[0]), measuring("undeploy"):
    undeploy(
        testbed=Testbed.model_validate_json(snakemake.params.testbed),
        results=Path(snakemake.params.results),
    )
