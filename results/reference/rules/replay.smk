# Trials that were measured → searches on them, what live ones say of these, figures and tables:
# `snakemake --profile local replay`, where the settings have a `replay`.

if plan.replay:

    rule replay_table:
        # every trial of the grid, epoch by epoch
        input:
            folders=[f"{RESULTS}/{folder}" for folder in plan.table_folders],
        output:
            outputs("replay_table"),
        log:
            f"{RESULTS}/logs/replay/table.log",
        conda:
            "../envs/trialwatt.yaml"
        params:
            plan=as_is(PRODUCTS["replay_table"].parts(plan)),
            results=subpath(output[0], ancestor=2),
        script:
            "../scripts/product.py"

    rule replay_searches:
        # thousands of searches by each strategy: the frameworks' own code on a virtual clock
        input:
            files_of("replay_table"),
            [f"{RESULTS}/{file}" for file in [plan.replay.cost_file] if file],
        output:
            outputs("replay_searches"),
        log:
            f"{RESULTS}/logs/replay/{{experiment}}-searches.log",
        conda:
            "../envs/trialwatt.yaml"
        threads: workflow.cores  # it spreads over processes itself
        params:
            plan=lambda wc: PRODUCTS["replay_searches"].parts(plan, wc.experiment),
            results=subpath(output[0], ancestor=3),
        script:
            "../scripts/product.py"

    rule replay_check:
        # do live searches fall where the replayed ones say that they do?
        input:
            outputs("replay_searches"),
            files_of("replay_table"),
            expand(
                f"{RESULTS}/metrics/{{measured}}/runs.parquet",
                measured=plan.experiments,
            ),
        output:
            outputs("replay_check"),
        log:
            f"{RESULTS}/logs/replay/{{experiment}}-check.log",
        conda:
            "../envs/trialwatt.yaml"
        params:
            plan=lambda wc: PRODUCTS["replay_check"].parts(plan, wc.experiment),
            results=subpath(output[0], ancestor=3),
        script:
            "../scripts/product.py"

    rule replay_figures:
        input:
            outputs("replay_check"),
        output:
            [replay_reported(file) for file in outputs("replay_figures")],
        log:
            f"{RESULTS}/logs/replay/{{experiment}}-figures.log",
        conda:
            "../envs/trialwatt.yaml"
        params:
            plan=lambda wc: PRODUCTS["replay_figures"].parts(plan, wc.experiment),
            results=subpath(output[0], ancestor=4),
        script:
            "../scripts/product.py"

    rule replay_sensitivity:
        # fewer searches, under other power models, numbers of workers, lengths of trials
        input:
            outputs("replay_searches"),
            files_of("replay_table"),
            [f"{RESULTS}/{file}" for file in [plan.replay.cost_file] if file],
            carbon=plan.paths(plan.carbon_series),
        output:
            outputs("replay_sensitivity"),
        log:
            f"{RESULTS}/logs/replay/{{experiment}}-sensitivity.log",
        conda:
            "../envs/trialwatt.yaml"
        threads: workflow.cores  # it spreads over processes itself
        params:
            plan=lambda wc: PRODUCTS["replay_sensitivity"].parts(plan, wc.experiment),
            results=subpath(output[0], ancestor=3),
        script:
            "../scripts/product.py"

    rule replay_answers:
        # what they say of the strategies, a measured seed as a run
        input:
            outputs("replay_searches"),
            outputs("replay_check"),
            outputs("replay_sensitivity"),
        output:
            [replay_reported(file) for file in outputs("replay_answers")],
        log:
            f"{RESULTS}/logs/replay/{{experiment}}-answers.log",
        conda:
            "../envs/trialwatt.yaml"
        params:
            plan=lambda wc: PRODUCTS["replay_answers"].parts(plan, wc.experiment),
            results=subpath(output[0], ancestor=4),
        script:
            "../scripts/product.py"

    rule replay:
        input:
            replays(),


if plan.replay and plan.replay.cost_elsewhere:

    rule replay_cost:
        # what frameworks cost, as it was measured elsewhere
        input:
            elsewhere=plan.here.cost,
        output:
            outputs("replay_cost"),
        log:
            f"{RESULTS}/logs/replay/cost.log",
        conda:
            "../envs/trialwatt.yaml"
        params:
            plan=as_is(PRODUCTS["replay_cost"].parts(plan)),
            results=subpath(output[0], ancestor=3),
        script:
            "../scripts/product.py"
