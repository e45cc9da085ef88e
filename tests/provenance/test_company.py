import shutil

import pytest

from trialwatt.provenance.bounds import is_company, left_behind


@pytest.mark.parametrize(
    "name",
    [
        ".DS_Store",
        "results/.DS_Store",
        "results/figures/Thumbs.db",
        "Desktop.ini",
        ".directory",
        "paper/.~lock.main.typ#",
        "paper/.#main.typ",
        "paper/#main.typ#",
        "config/config.yaml~",
        "config/.config.yaml.swp",
        "config/.config.yaml.swo",
        "~$table.csv",
        "results/runs/lab/x-1/rep1/records/._worker-1.jsonl",
        "__MACOSX/results/._plan.json",
        "__MACOSX/",
        ".Spotlight-V100/Store-V2/x",
        ".Trashes",
        ".fseventsd/0001",
        "results/.nfs000000001234abcd00000012",
        "Icon\r",
    ],
)
def test_what_file_managers_and_editors_leave(name):
    assert is_company(name)


@pytest.mark.parametrize(
    "name",
    [
        "results/plan.json",
        "Snakefile",
        ".hidden",
        ".git/config",
        "scripts/__pycache__/x.pyc",
        "results/.snakemake_timestamp",
        ".DS_Store/x",
        "MACOSX/x",
        "~",
        "#x",
        "config/.config.yaml",
        "results/runs/lab/x~/run.json",
        ".nfs",
        "desktop.ini.py",
    ],
)
def test_everything_else_is_part_of_it_or_a_fault(name):
    assert not is_company(name)


def test_a_copy_without_it(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    for name in ("x.typ", "x.typ~", ".DS_Store", "b/y", "b/.y.swp"):
        (tmp_path / "a" / name).write_text("")
    shutil.copytree(tmp_path / "a", tmp_path / "c", ignore=left_behind)
    files = (file for file in (tmp_path / "c").rglob("*") if file.is_file())
    assert sorted(file.name for file in files) == ["x.typ", "y"]
