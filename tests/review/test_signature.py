import json
import shutil
import subprocess

import pytest

from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.review import verify as module
from trialwatt.review.pack import archive_command
from trialwatt.review.signature import check, sign, signature_of
from trialwatt.review.verdict import Verdict
from trialwatt.review.verify import verify, verify_command

pytestmark = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed"
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name]
        subprocess.run(command, check=True)
    public = (folder / "ours.pub").read_text().split()
    (folder / "signers").write_text(f"lab@example.org {public[0]} {public[1]}\n")
    return folder


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "lab.zip"
    file.write_bytes(b"content")
    return file


def test_a_signature_is_of_these_bytes_and_by_this_key(keys, file):
    sign(file, keys / "ours", signature_of(file))
    found = check(file, signature_of(file))
    assert found.ok and "SHA256:" in found.said and "was not checked" in found.said
    found = check(file, signature_of(file), keys / "signers")
    assert found.ok and "lab@example.org" in found.said
    file.write_bytes(b"other content")
    for signers in (None, keys / "signers"):
        found = check(file, signature_of(file), signers)
        assert not found.ok and "no signature of lab.zip" in found.said


def test_a_signature_by_somebody_else(keys, file):
    sign(file, keys / "theirs", signature_of(file))
    assert check(file, signature_of(file)).ok
    found = check(file, signature_of(file), keys / "signers")
    assert not found.ok and "by none of the signers" in found.said


def test_a_signature_for_another_purpose(keys, file):
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-f", keys / "ours", "-n", "git", file], check=True
    )
    assert not check(file, signature_of(file)).ok
    assert not check(file, signature_of(file), keys / "signers").ok


@pytest.mark.parametrize("content", [b"", b"no signature", b"\x1b[2J" * 40_000])
def test_what_is_no_signature(keys, file, content):
    signature_of(file).write_bytes(content)
    for signers in (None, keys / "signers"):
        found = check(file, signature_of(file), signers)
        assert not found.ok and "\x1b" not in found.said


def test_missing_files_and_programs_are_said(keys, file, monkeypatch):
    with pytest.raises(TrialwattError, match="no such key"):
        sign(file, keys / "gone", signature_of(file))
    (keys / "text").write_text("no key")
    with pytest.raises(TrialwattError, match="not signed"):
        sign(file, keys / "text", signature_of(file))
    assert not signature_of(file).exists()
    with pytest.raises(TrialwattError, match="there is no such file"):
        check(file, signature_of(file))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(TrialwattError, match="not installed"):
        sign(file, keys / "ours", signature_of(file))


def test_an_archive_is_signed_and_checked(archive, unpacked, keys, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(  # what is made again of it is no matter of its signature
        module, "verify_tree", lambda tree, place, code_read: Verdict(place, [], {}, [])
    )
    file = tmp_path / "lab.zip"
    shutil.copy(archive, file)
    said = archive_command(file, None, False, keys / "ours", [])
    assert f"SHA-256 {sha256(file)}" in said
    assert verify_command(file, as_json=True, signers=keys / "signers") == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["signature"].startswith("signed by lab@example.org")
    assert verdict["checksums"][sha256(file)] == "lab.zip"
    (tmp_path / "others").write_text((keys / "theirs.pub").read_text().replace("ssh-", "x ssh-", 1))
    verdict = verify(file, signers=tmp_path / "others")
    assert [one["path"] for one in verdict.problems] == ["signature"]

    archive_command(unpacked.folder, None, False, keys / "ours", [])
    verdict = verify(unpacked.folder)
    assert verdict.ok and "signed by the holder of the ED25519 key" in verdict.signature


def test_what_cannot_be_signed(archive, project, keys, tmp_path):
    with pytest.raises(TrialwattError, match="only be signed"):
        archive_command(archive, None, False, None, [])
    with pytest.raises(TrialwattError, match="without --signature it is looked for there"):
        verify(archive, signers=keys / "signers")


def test_the_archive_of_a_results_folder_by_the_command(project, keys, archive, tmp_path):
    said = archive_command(project.results, tmp_path / "x.zip", False, keys / "ours", [])
    assert sha256(tmp_path / "x.zip") in said and signature_of(tmp_path / "x.zip").is_file()
