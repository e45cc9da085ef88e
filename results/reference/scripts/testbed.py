from pathlib import Path

from trialwatt.config.models import Testbed
from trialwatt.config.tables import PowerModel
from trialwatt.lifecycle.locks import measuring
from trialwatt.lifecycle.quiet import wait_until_quiet
from trialwatt.lifecycle.script import trapped, user_errors
from trialwatt.meters.choose import open_available
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.records.testbed_facts import describe, measure_idle, write_testbed

with user_errors(snakemake.log[0]), trapped(), measuring(f"testbed {snakemake.wildcards.testbed}"):
    name = snakemake.wildcards.testbed
    testbed = Testbed.model_validate_json(snakemake.params.testbed)
    power = PowerParameters.of(PowerModel.model_validate_json(snakemake.params.power))
    wait_until_quiet(testbed, name)
    with open_available(testbed, power) as chosen:
        idle = measure_idle(chosen.meters, testbed.idle_s, testbed.sample_hz)
        facts = describe(name, testbed, power, chosen.facts(), idle)
    write_testbed(Path(snakemake.output[0]), facts)
