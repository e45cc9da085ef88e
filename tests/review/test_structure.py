import json
import re
import shutil
from pathlib import Path

import pytest

import trialwatt
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.provenance import crate
from trialwatt.records.manifest import write_manifest
from trialwatt.records.sealed import seal
from trialwatt.review.structure import (
    Sums,
    check_chains,
    check_configuration,
    check_listing,
    check_runs,
)
from trialwatt.review.tree import Tree, tree_of


@pytest.fixture
def problems(unpacked):
    """What the checks say of the unpacked archive as it is now: path → sentences."""

    def check() -> dict[str, str]:
        tree = Tree(unpacked.folder, unpacked / "results", is_archive=True)
        sums = Sums(tree)
        found = [
            *check_listing(tree, sums),
            *check_configuration(tree),
            *check_runs(tree, sums),
            *check_chains(tree, sums),
        ]
        said: dict[str, str] = {}
        for problem in found:
            said[problem.path] = f"{said.get(problem.path, '')}{problem.said}\n"
        return said

    return check


def edit(file, change) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content, indent=1))


def test_nothing_is_wrong_with_an_intact_archive(problems):
    assert problems() == {}


@pytest.mark.parametrize(
    "name",
    [
        "config/prices.yaml",
        "Snakefile",
        "results/figures/more-cpu/wr.svg",
        "results/tables/answers.csv",
        "results/sweeps/more-cpu/plain-grid/end.json",
        "results/warm-ups/lab/plain/records/harness.jsonl",
        "ARTIFACT.md",
    ],
)
def test_a_byte_more_or_a_file_less_is_found(problems, unpacked, name):
    file = unpacked / name
    file.write_bytes(file.read_bytes() + b"\n")
    assert "changed" in problems()[name]
    file.unlink()
    assert "missing" in problems()[name]


def test_a_record_with_one_other_byte_is_found_and_named(problems, unpacked):
    record = min((unpacked / "results/runs").rglob("worker-1.jsonl"))
    data = bytearray(record.read_bytes())
    data[len(data) // 2] ^= 1
    record.write_bytes(bytes(data))
    name = record.relative_to(unpacked.folder).as_posix()
    assert problems().keys() == {name}
    unpacked.relist()
    assert "changed" in problems()[name]


def test_a_file_that_is_not_listed(problems, unpacked):
    (unpacked / "results/figures/more-cpu/more.svg").write_text("<svg/>")
    assert "not listed" in problems()["results/figures/more-cpu/more.svg"]


def test_a_hidden_file_is_not_passed_over(problems, unpacked):
    run = min((unpacked / "results/runs").rglob("run.json")).parent
    (run / "records/.worker-9.jsonl").write_text("")
    name = (run / "records/.worker-9.jsonl").relative_to(unpacked.folder).as_posix()
    assert problems()[name].splitlines() == [
        f"is not listed in {crate.NAME}",
        "is not in the run's run.json",
    ]


def test_a_hidden_file_in_a_run_is_found_in_a_results_folder(project, tmp_path):
    copy = shutil.copytree(project.root, tmp_path / "copy")
    run = min((copy / "results/runs").rglob("run.json")).parent
    (run / ".snakemake_timestamp").write_text("")  # as Snakemake leaves it
    (run / "records/._worker-1.jsonl").write_text("")
    tree = tree_of(copy / "results")
    assert list(check_runs(tree, Sums(tree))) == []
    (run / "records/.worker-9.jsonl").write_text("")
    (found,) = check_runs(tree, Sums(tree))
    assert found.path.endswith("/.worker-9.jsonl") and "not in the run's" in found.said


def test_what_file_managers_leave_is_no_problem_unless_it_is_listed(problems, unpacked):
    for name in ("results/.DS_Store", "results/figures/more-cpu/Thumbs.db", "Snakefile~"):
        (unpacked / name).write_text("")
    assert problems() == {}
    listing = unpacked / crate.NAME
    edit(listing, lambda c: c["@graph"].append({"@id": "Snakefile~", "@type": "File"}))
    assert "only a file manager or an editor" in problems()["Snakefile~"]


def test_prices_that_are_not_those_of_the_configuration(problems, unpacked):
    plan = unpacked / "results/plan.json"
    edit(plan, lambda content: content["context"].update(price_per_cpu_h=0.001))
    unpacked.relist()
    assert "context.price_per_cpu_h is 0.001" in problems()["results/plan.json"]


def test_a_power_model_that_is_not_that_of_the_configuration(problems, unpacked):
    plan = unpacked / "results/plan.json"
    edit(plan, lambda content: content["power"]["gcp-median"].update(min_w=0.1))
    unpacked.relist()
    assert "config/power.yaml" in problems()["results/plan.json"]


def test_a_section_of_a_part_that_is_not_installed_here_is_no_problem(unpacked):
    testbed = unpacked / "config/testbeds/lab.yaml"
    testbed.write_text(testbed.read_text() + "tower: {floors: 3}\n")
    unpacked.relist()
    tree = Tree(unpacked.folder, unpacked / "results", is_archive=True)
    assert list(check_configuration(tree)) == []


def test_a_treatment_that_is_not_what_ran(problems, unpacked):
    def change(content):
        content["experiments"]["more-cpu"]["runs"][0]["treatment"]["workers.cpu"] = 8

    edit(unpacked / "results/plan.json", change)
    unpacked.relist()
    assert "says workers.cpu=8, but it ran with 1" in problems()["results/plan.json"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m["config"]["workload"].update(epochs=9), "does not have the hash"),
        (lambda m: m.update(folder="runs/lab/other-abc"), "is of runs/lab/other-abc"),
        (
            lambda m: m.update(headline_meter="../../../etc/x"),
            "headline_meter: String",
        ),
        (lambda m: m["files"].update({"../../x": "0" * 64}), "outside the run's folder"),
        (lambda m: m.pop("files"), "lists no files"),
    ],
)
def test_a_manifest_that_is_not_of_its_run(problems, unpacked, change, said):
    manifest = min((unpacked / "results/runs").rglob("run.json"))
    edit(manifest, change)
    unpacked.relist()
    name = manifest.relative_to(unpacked.folder).as_posix()
    tree = Tree(unpacked.folder, unpacked / "results", is_archive=True)
    assert said in " ".join(p.said for p in check_runs(tree, Sums(tree)) if p.path == name)


@pytest.mark.parametrize("new", [["../../secret/rep1"], [1], [["x"]], 1.5, None])
def test_a_move_that_asks_for_no_run(problems, unpacked, new):
    move = unpacked / "results/sweeps/more-cpu/plain-grid/move0.json"
    edit(move, lambda content: content.update(new=new))
    unpacked.relist()
    with pytest.raises(TrialwattError, match="no move of a sweep"):
        problems()


def test_a_damaged_sidecar(problems, unpacked):
    sidecar = unpacked / "results/figures/more-cpu/wr.json"
    sidecar.write_text("{}")
    unpacked.relist()
    assert "damaged" in problems()["results/figures/more-cpu/wr.json"]


def test_a_sidecar_that_names_another_run(problems, unpacked):
    """Whose records nothing compares with anything."""
    sidecar = unpacked / "results/figures/more-cpu/wr.json"

    def change(content):
        runs = content["provenance"]["runs"]
        runs.append(runs[0] | {"folder": "runs/lab/other-abc/rep1"})

    edit(sidecar, change)
    unpacked.relist()
    said = problems()
    assert "which is no run of the plan's" in said["results/figures/more-cpu/wr.json"]
    assert "missing" in said["results/runs/lab/other-abc/rep1/run.json"]


def test_a_sealed_record_that_was_changed(problems, unpacked):
    run = min((unpacked / "results/runs").rglob("run.json")).parent
    seal(run)
    write_manifest(run, json.loads((run / "run.json").read_text()))
    with (run / "records.zst").open("ab") as file:
        file.write(b"x")
    unpacked.relist()
    name = (run / "records.zst").relative_to(unpacked.folder).as_posix()
    assert "changed (its checksum differs) since the run" in problems()[name]


def test_a_sidecar_cannot_name_files_outside(problems, unpacked):
    sidecar = unpacked / "results/figures/more-cpu/wr.json"
    edit(sidecar, lambda content: content["outputs"].update({"../../x": sha256(sidecar)}))
    unpacked.relist()
    assert "outside its folder" in problems()["results/figures/more-cpu/wr.json"]


def test_a_link_is_refused(problems, unpacked, tmp_path):
    (tmp_path / "secret").write_text("x")
    (unpacked / "results/figures/more-cpu/secret.svg").symlink_to(tmp_path / "secret")
    with pytest.raises(TrialwattError, match="a link"):
        problems()


def test_another_workflow_or_a_newer_format_is_refused(unpacked, tmp_path):
    from trialwatt.review.verify import verify

    plan = unpacked / "results/plan.json"
    edit(plan, lambda content: content.update(format=3))
    with pytest.raises(TrialwattError, match="format 3, newer than 2"):
        verify(unpacked.archive(tmp_path / "newer.zip"))
    edit(plan, lambda content: content.update(format=2, generator="another"))
    with pytest.raises(TrialwattError, match="of another workflow"):
        verify(unpacked.folder)
    edit(plan, lambda content: content.update(generator="trialwatt", experiments={"../x": {}}))
    with pytest.raises(TrialwattError, match=r"plan\.json: experiments\.\.\./x"):
        verify(unpacked.folder)

    def rename(content):
        for entity in content["@graph"]:
            entity["name"] = "Another workflow"

    edit(unpacked / crate.NAME, rename)
    with pytest.raises(TrialwattError, match="another workflow than trialwatt's"):
        verify(unpacked.folder)
    (unpacked / crate.NAME).write_text("[" * 100_000)
    with pytest.raises(TrialwattError, match="damaged, or no RO-Crate"):
        verify(unpacked.folder)


def test_a_folder_that_is_no_results(tmp_path, project):
    with pytest.raises(TrialwattError, match="neither an unpacked archive"):
        tree_of(tmp_path)
    with pytest.raises(TrialwattError, match="there is no such folder"):
        tree_of(tmp_path / "nothing")
    assert tree_of(project.results).root == project.root.resolve()


def test_nothing_of_ours_reads_what_could_run():
    """No pickle, no YAML that makes objects, no text that is run."""
    source = Path(trialwatt.__file__).parent
    unsafe = re.compile(
        r"^\s*(import|from)\s+(pickle|dill|joblib|cloudpickle|marshal|shelve)\b"
        r"|read_pickle|allow_pickle\s*=\s*True|torch\.load\(|unsafe_load|full_load"
        r"|(?<![\w.])(eval|exec)\(",
        re.MULTILINE,
    )
    texts = {
        file.relative_to(source).as_posix(): file.read_text(encoding="utf-8")
        for file in sorted(source.rglob("*.py"))
    }
    assert len(texts) > 100
    # the one that runs a user's own function: in the processes of a run, and where it is looked at
    # before one
    runs = [name for name, text in texts.items() if unsafe.search(text)]
    assert runs == ["workload/functions.py"]
    callers = [name for name, text in texts.items() if "trialwatt.workload.functions" in text]
    assert callers == ["workload/examined.py", "workload/opening.py"]
    openers = {name for name, text in texts.items() if "trialwatt.workload.opening" in text}
    assert openers == {"lifecycle/trials.py"}
    examiners = {name for name, text in texts.items() if "trialwatt.workload.inputs" in text}
    assert examiners == {"lifecycle/execute.py"}  # and scripts/function.py
