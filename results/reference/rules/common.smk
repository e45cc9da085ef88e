# What several rules look up in the plan, and in the moves of its sweeps.


def as_is(value):
    """What a user has written, as a parameter: braces in it are no wildcards."""
    return lambda wildcards: value


def planned(wildcards):
    """The resolved configuration of the run that a rule is about."""
    return plan.run(f"runs/{wildcards.testbed}/{wildcards.run}")


def move_file(experiment, sweep, number):
    return checkpoints.move.get(experiment=experiment, sweep=sweep, move=number).output[
        0
    ]


def moves_of(experiment, sweep):
    """All moves of a sweep so far; Snakemake comes back when the next one has been made."""
    found = []
    while not found or not found[-1].is_last:
        found.append(Move.read(move_file(experiment, sweep, len(found))))
    return found


def ends_of(experiment):
    """How the sweeps of an experiment ended. Asked for at once, so that they go on side by side."""
    return [
        f"{RESULTS}/sweeps/{experiment}/{sweep.id}/end.json"
        for sweep in plan.experiments[experiment].sweeps
    ]


def repetitions_of(experiment):
    """Folders of all repetitions of an experiment, those that its sweeps asked for included."""
    folders = dict.fromkeys(plan.fixed_repetitions(experiment))
    for sweep in plan.experiments[experiment].sweeps:
        for move in moves_of(experiment, sweep.id):
            folders |= dict.fromkeys(f"{RESULTS}/{new}" for new in move.repetitions)
    return list(folders)


def asked_by_the_move_before(wildcards):
    """What a move waits for: the move before it, and the runs that it asked for."""
    if wildcards.move == "0":
        return []
    before = move_file(wildcards.experiment, wildcards.sweep, int(wildcards.move) - 1)
    return [before, *(f"{RESULTS}/{new}" for new in Move.read(before).new)]


def kept(file, made):
    """An input of what was measured: once `made` is there, making the input again redoes nothing.

    As long as it is not, ancient() would be a trap: Snakemake leaves a job out, though its output
    is missing, where a job before it runs again and all that it gets from that one is ancient.
    """
    return ancient(file) if Path(made).exists() else file


def measured_folder(wildcards):
    """Where a run of a block is put, or one that a sweep scouts."""
    where = f"{wildcards.testbed}/{wildcards.run}"
    if rep := wildcards.get("rep"):
        return f"{RESULTS}/runs/{where}/rep{rep}"
    return f"{RESULTS}/scouts/{where}"


def measured_with(testbed, data, made):
    """Inputs of what is measured: the data, the machine or cluster, and the data on the cluster."""
    files = {
        "data": f"{RESULTS}/data/{data}",
        "testbed": f"{RESULTS}/testbeds/{testbed}.json",
    }
    note = f"{RESULTS}/shared/{testbed}/{data}.json"
    if IS_REMOTE and made != note:
        files["shared"] = note
    return {name: kept(file, made) for name, file in files.items()}


def warm_ups_before(wildcards):
    """The warm-ups, if the settings want some: all of them, before the first run of any SUT."""
    made = measured_folder(wildcards)
    return [kept(f"{RESULTS}/{one}", made) for one in plan.warm_up_folders.values()]


def outputs(product):
    """The files of a product; {experiment} in them is the wildcard of its rule."""
    return [f"{RESULTS}/{file}" for file in PRODUCTS[product].files]


def files_of(product, experiment=None):
    """The files of a product, of one experiment or of all."""
    return [
        f"{RESULTS}/{file}" for file in PRODUCTS[product].files_in(plan, experiment)
    ]


def taken_by(product, experiment=None):
    """The files that a product is made of, of one experiment or of all."""
    return [
        file
        for taken in PRODUCTS[product].takes
        for file in files_of(taken, experiment)
    ]


def shown_of(experiment):
    """The figures and tables of an experiment."""
    return [
        file for name in ("figures", "table") for file in files_of(name, experiment)
    ]


def reported(file, experiment):
    """A figure with its caption and its place in `snakemake --report`."""
    name = Path(file).stem
    return report(
        file,
        caption=f"../captions/{name}.rst",
        category=experiment,
        subcategory="Figures",
        labels={"figure": name},
    )


def reported_figures(experiment):
    return [
        reported(file, experiment) if file.endswith(".svg") else file
        for file in files_of("figures", experiment)
    ]


def reported_table(file, experiment):
    """A table with its caption and its place in `snakemake --report`."""
    caption, label = {
        "tables": ("table", "results"),
        "best": ("best", "best treatments"),
        "cost": ("cost-table", "cost of frameworks"),
    }[Path(file).parent.name]
    return report(
        file,
        caption=f"../captions/{caption}.rst",
        category=experiment,
        subcategory="Tables",
        labels={"table": label},
    )


def reported_tables(experiment):
    return [
        reported_table(file, experiment) if file.endswith(".csv") else file
        for file in files_of("table", experiment)
    ]


def replay_reported(file):
    """A figure or table of replayed searches with its caption, in `snakemake --report`."""
    place = {".svg": ("Figures", "figure"), ".csv": ("Tables", "table")}
    if Path(file).suffix not in place:
        return file
    subcategory, kind = place[Path(file).suffix]
    return report(
        file,
        caption="../captions/replayed.rst",
        category="{experiment}",
        subcategory=subcategory,
        labels={kind: "replayed searches"},
    )


def replays():
    """All that is made of the plan's replay, if it has one."""
    return [
        file
        for name, product in PRODUCTS.items()
        if product.replayed
        for file in files_of(name)
    ]


def pages():
    """The report, the page, and the one with the results of others where some were imported."""
    contributed = Path(RESULTS).glob("contrib/*.json")
    made = ["report", "page", *(["comparison"] if any(contributed) else [])]
    return [file for name in made for file in files_of(name)]
