# A remote platform as the testbed: looked at before anything runs, and what all runs on it share.


rule testbed:
    # the preflight again, a probe of the image, facts and idle power
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
        suts=sorted(plan.warm_ups),
        imports=plan.imports,
    script:
        "../scripts/cluster.py"


rule shared_data:
    # a pod that serves the dataset, or a user's function; each run looks whether it is still there
    input:
        unpack(
            lambda wc: measured_with(
                wc.testbed,
                wc.data,
                made=f"{RESULTS}/shared/{wc.testbed}/{wc.data}.json",
            )
        ),
    output:
        f"{RESULTS}/shared/{{testbed}}/{{data}}.json",
    log:
        f"{RESULTS}/logs/shared/{{testbed}}/{{data}}.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        testbed=as_is(plan.testbed.model_dump_json()),
    script:
        "../scripts/shared_data.py"


rule undeploy:
    # snakemake --profile k8s undeploy: nothing of ours stays on the cluster
    log:
        f"{RESULTS}/logs/undeploy.log",
    conda:
        "../envs/trialwatt.yaml"
    resources:
        testbed=1,
    params:
        testbed=as_is(plan.testbed.model_dump_json()),
        results=RESULTS,
    script:
        "../scripts/undeploy.py"


rule image:
    # snakemake --profile k8s image: the worker image, by docker or podman
    log:
        f"{RESULTS}/logs/image.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        platform=plan.testbed.platform,
        arguments=as_is(image_arguments()),
    script:
        "../scripts/image.py"
