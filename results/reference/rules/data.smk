# What workers train on, once: a dataset as one memory-mapped file whose pages all of them share, or
# the source of a user's function, which must be importable on its own.


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


rule function:
    output:
        f"{RESULTS}/data/{{function}}.py",
    log:
        f"{RESULTS}/logs/data/{{function}}.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        function=lambda wc: plan.functions[f"{wc.function}.py"].model_dump_json(),
        imports=not IS_REMOTE,
    script:
        "../scripts/function.py"
