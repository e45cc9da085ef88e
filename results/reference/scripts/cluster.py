from pathlib import Path

from trialwatt.config.models import Testbed
from trialwatt.config.tables import PowerModel
from trialwatt.lifecycle.cluster import describe_cluster
from trialwatt.lifecycle.locks import measuring
from trialwatt.lifecycle.script import trapped, user_errors
from trialwatt.meters.coefficients import PowerParameters

with user_errors(snakemake.log[0]), trapped(), measuring(f"testbed {snakemake.wildcards.testbed}"):
    describe_cluster(
        name=snakemake.wildcards.testbed,
        testbed=Testbed.model_validate_json(snakemake.params.testbed),
        power=PowerParameters.of(PowerModel.model_validate_json(snakemake.params.power)),
        suts=snakemake.params.suts,
        output=Path(snakemake.output[0]),
        imports=snakemake.params.imports,
    )
