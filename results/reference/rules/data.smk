# Each dataset once: one memory-mapped file whose pages all workers share.


rule data:
    output:
        f"{RESULTS}/data/{{dataset}}.safetensors",
    log:
        f"{RESULTS}/logs/data/{{dataset}}.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        folder=as_is(plan.here.data),
    script:
        "../scripts/data.py"
