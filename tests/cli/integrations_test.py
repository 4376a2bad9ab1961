"""The files of integrations/ at work: git's diff driver, the pre-commit hook, the action's script."""

import os
import pathlib
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ.get("SAMEBITS", ROOT / "build" / "release" / "samebits"))
MODEL = ROOT / "examples" / "vit-mae-tiny"
QUIET = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "SAMEBITS": str(PROGRAM), "LC_ALL": "C"}


@pytest.fixture
def git(tmp_path):
    def call(*words, ok=True):
        done = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=tmp_path, env=os.environ | QUIET, capture_output=True, text=True, timeout=60
        )
        assert not ok or done.returncode == 0, done.stderr
        return done

    call("init", "-q")
    return call


def weights(name):
    """Two files of one size that differ."""
    data = bytearray((MODEL / "hf" / "model.safetensors").read_bytes())
    if name == "other":
        data[-2] ^= 0x40
    return bytes(data)


def test_git_diff_prints_the_verdict(git, tmp_path):
    git("config", "diff.samebits.command", str(ROOT / "integrations" / "git" / "samebits-git-diff"))
    (tmp_path / ".gitattributes").write_text("*.safetensors diff=samebits\n")
    (tmp_path / "m.safetensors").write_bytes(weights("one"))
    git("add", ".")
    assert "safetensors file" in git("diff", "--cached").stdout
    git("commit", "-q", "-m", "x")
    (tmp_path / "m.safetensors").write_bytes(weights("other"))
    changed = git("diff").stdout
    assert "samebits: m.safetensors" in changed and "\ndifferent" in changed
    git("rm", "-q", "--cached", "m.safetensors")
    assert "deleted" in git("diff", "--cached").stdout


def test_a_commit_with_a_lock_that_is_not_true_ends_with_an_error(git, tmp_path):
    (tmp_path / ".git" / "hooks").mkdir(exist_ok=True)
    (tmp_path / ".git" / "hooks" / "pre-commit").symlink_to(ROOT / "integrations" / "git" / "samebits-pre-commit")
    (tmp_path / "a b.safetensors").write_bytes(weights("one"))
    subprocess.run([str(PROGRAM), "lock", "a b.safetensors", "-o", "a b.safetensors.lock"], cwd=tmp_path, check=True)
    (tmp_path / "alone.lock").write_text("{}")
    git("add", ".")
    git("commit", "-q", "-m", "true")
    (tmp_path / "a b.safetensors").write_bytes(weights("other"))
    (tmp_path / "a b.safetensors.lock").write_text((tmp_path / "a b.safetensors.lock").read_text() + "\n")
    git("add", ".")
    done = git("commit", "-q", "-m", "not true", ok=False)
    assert done.returncode != 0 and "different" in done.stdout + done.stderr
    hook = [str(ROOT / "integrations" / "git" / "samebits-pre-commit"), "a b.safetensors.lock"]
    assert subprocess.run(hook, cwd=tmp_path, env=os.environ | QUIET, capture_output=True).returncode == 1


@pytest.mark.parametrize("other, fail, status, verdict", [("one", "true", 0, "same"), ("other", "true", 1, "different"), ("other", "false", 0, "different"), ("none", "true", 1, "unknown")])
def test_the_action_posts_the_verdict(tmp_path, other, fail, status, verdict):
    action = yaml.safe_load((ROOT / "integrations" / "github" / "action.yml").read_text())
    step = action["runs"]["steps"][0]
    assert set(step["env"]) == {"INPUT_A", "INPUT_B", "INPUT_COMMAND", "INPUT_SAMEBITS", "INPUT_FAIL"}
    (tmp_path / "a.safetensors").write_bytes(weights("one"))
    if other != "none":
        (tmp_path / "b.safetensors").write_bytes(weights(other))
    environment = {
        "INPUT_A": "a.safetensors", "INPUT_B": "b.safetensors", "INPUT_COMMAND": action["inputs"]["command"]["default"], "INPUT_SAMEBITS": str(PROGRAM),
        "INPUT_FAIL": fail, "GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "PATH": os.environ["PATH"],
    }
    done = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert (tmp_path / "output").read_text() == f"verdict={verdict}\n"
    assert (tmp_path / "summary").read_text().startswith(f"### samebits diff: {verdict}\n")
