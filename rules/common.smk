# What several rules look up in the plan.


def planned(wildcards):
    """The resolved configuration of the run that a rule is about."""
    return plan.run(f"runs/{wildcards.testbed}/{wildcards.run}")


def figure_files(experiment):
    return expand(
        f"{RESULTS}/figures/{experiment}/{{figure}}{{ending}}",
        figure=figures_of(experiment, plan.experiments[experiment].varies),
        ending=[".svg", ".pdf", ".png", ".json"],
    )


def table_files(experiment):
    return expand(
        f"{RESULTS}/tables/{{folder}}{experiment}{{ending}}",
        folder=["", "best/"],
        ending=[".csv", ".md", ".tex", ".json"],
    )
