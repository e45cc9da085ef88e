# One HPO job per folder: the only rule that measures.


rule run:
    input:
        # ancient: preparing the same data or describing the same machine again redoes no run
        data=lambda wc: ancient(
            f"{RESULTS}/data/{planned(wc).workload.dataset}.safetensors"
        ),
        testbed=ancient(f"{RESULTS}/testbeds/{{testbed}}.json"),
    output:
        directory(f"{RESULTS}/runs/{{testbed}}/{{run}}/rep{{rep}}"),
    log:
        f"{RESULTS}/logs/run/{{testbed}}/{{run}}-rep{{rep}}.log",
    # the shuffled order of the plan
    priority: lambda wc: plan.order_priority(f"runs/{wc.testbed}/{wc.run}", wc.rep)
    conda:
        "../envs/trialwatt.yaml"
    # nothing else may run meanwhile
    threads: workflow.cores
    resources:
        testbed=1,
    params:
        config=lambda wc: planned(wc).model_dump_json(),
        results=subpath(output[0], ancestor=4),
    script:
        "../scripts/run.py"
