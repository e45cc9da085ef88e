# One HPO job per folder: the only rules that measure, and the sweeps that decide what to measure.


rule run:
    input:
        # preparing the same data or describing the same machine again redoes no run
        warm_ups_before,
        unpack(
            lambda wc: measured_with(
                wc.testbed, planned(wc).workload.data, measured_folder(wc)
            )
        ),
    output:
        directory(f"{RESULTS}/runs/{{testbed}}/{{run}}/rep{{rep}}"),
    log:
        f"{RESULTS}/logs/run/{{testbed}}/{{run}}-rep{{rep}}.log",
    # block by block, each in its drawn order
    priority: lambda wc: plan.order_priority(f"runs/{wc.testbed}/{wc.run}", wc.rep)
    conda:
        "../envs/trialwatt.yaml"
    # nothing else may run meanwhile
    threads: workflow.cores
    resources:
        testbed=1,
    params:
        config=lambda wc: run_text(planned(wc)),
        results=subpath(output[0], ancestor=4),
    script:
        "../scripts/run.py"


rule scout:
    # of a sweep, before the first block: kept, but not counted
    input:
        warm_ups_before,
        unpack(
            lambda wc: measured_with(
                wc.testbed, planned(wc).workload.data, measured_folder(wc)
            )
        ),
    output:
        directory(f"{RESULTS}/scouts/{{testbed}}/{{run}}"),
    log:
        f"{RESULTS}/logs/scout/{{testbed}}/{{run}}.log",
    priority: lambda wc: plan.order_priority(f"runs/{wc.testbed}/{wc.run}", SCOUTS)
    conda:
        "../envs/trialwatt.yaml"
    threads: workflow.cores
    resources:
        testbed=1,
    params:
        config=lambda wc: run_text(planned(wc)),
        results=subpath(output[0], ancestor=3),
    script:
        "../scripts/uncounted.py"


rule warm_up:
    # kept, but not counted
    input:
        unpack(
            lambda wc: measured_with(
                wc.testbed,
                plan.run(plan.warm_ups[wc.sut]).workload.data,
                f"{RESULTS}/warm-ups/{wc.testbed}/{wc.sut}",
            )
        ),
    output:
        directory(f"{RESULTS}/warm-ups/{{testbed}}/{{sut}}"),
    log:
        f"{RESULTS}/logs/warm-up/{{testbed}}/{{sut}}.log",
    conda:
        "../envs/trialwatt.yaml"
    threads: workflow.cores
    resources:
        testbed=1,
    params:
        config=lambda wc: run_text(plan.run(plan.warm_ups[wc.sut])),
        results=subpath(output[0], ancestor=3),
    script:
        "../scripts/uncounted.py"


checkpoint move:
    # one step of a sweep: which repetitions are to be run next, or how it ended
    input:
        asked_by_the_move_before,
    output:
        f"{RESULTS}/sweeps/{{experiment}}/{{sweep}}/move{{move}}.json",
    log:
        f"{RESULTS}/logs/sweeps/{{experiment}}-{{sweep}}-{{move}}.log",
    # before any run: a block begins when all that it holds is known
    priority: 2**30
    conda:
        "../envs/trialwatt.yaml"
    params:
        sweep=lambda wc: plan.sweeps(wc.experiment)[wc.sweep].model_dump(),
        results=subpath(output[0], ancestor=4),
    script:
        "../scripts/move.py"


rule sweep:
    # how it ended
    input:
        lambda wc: [
            move_file(wc.experiment, wc.sweep, move.number)
            for move in moves_of(wc.experiment, wc.sweep)
        ],
    output:
        f"{RESULTS}/sweeps/{{experiment}}/{{sweep}}/end.json",
    log:
        f"{RESULTS}/logs/sweeps/{{experiment}}-{{sweep}}-end.log",
    conda:
        "../envs/trialwatt.yaml"
    params:
        sweep=lambda wc: plan.sweeps(wc.experiment)[wc.sweep].model_dump(),
    script:
        "../scripts/sweep.py"
