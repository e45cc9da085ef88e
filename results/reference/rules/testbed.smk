# What this machine is, and its power when it does nothing: measured before the first run.


rule testbed:
    output:
        f"{RESULTS}/testbeds/{{testbed}}.json",
    log:
        f"{RESULTS}/logs/testbed/{{testbed}}.log",
    conda:
        "../envs/trialwatt.yaml"
    threads: workflow.cores  # nothing else may run meanwhile
    resources:
        testbed=1,
    params:
        testbed=as_is(plan.testbed.model_dump_json()),
        power=as_is(plan.power_model.model_dump_json()),
    script:
        "../scripts/testbed.py"
