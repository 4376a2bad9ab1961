"""Shells complete the command line, and man(1) reads the manual: both are made from the options that the program has."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("SAMEBITS", ROOT / "build" / "release" / "samebits"))
COMMANDS = ["inspect", "diff", "explain", "check", "resume", "run", "train", "lock", "verify", "convert", "completion", "man"]


def printed(*words):
    return subprocess.run([PROGRAM, *words], check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two files, and the program under its name with its completion beside it."""
    made = tmp_path_factory.mktemp("completion")
    (made / "model one.pth").write_text("")
    (made / "model2.pth").write_text("")
    (made / "samebits").symlink_to(PROGRAM.resolve())
    for shell in ("bash", "fish", "zsh"):
        (made / f"complete.{shell}").write_text(printed("completion", shell))
    (made / "_samebits").write_text(printed("completion", "zsh"))
    return made


def run(folder, *words):
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C", "TERM": "dumb"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def by_bash(folder, *words):
    script = (
        'source complete.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _samebits; '
        '((${#COMPREPLY[@]} == 0)) || printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return run(folder, "bash", "-c", script, "bash", "samebits", *words).splitlines()


def by_fish(folder, line):
    out = run(folder, "fish", "--no-config", "-c", f"source complete.fish; complete -C 'samebits {line}'")
    return [each.split("\t")[0] for each in out.splitlines()]


def test_bash_completes_commands(folder):
    assert by_bash(folder, "") == COMMANDS
    assert by_bash(folder, "di") == ["diff"]


def test_bash_completes_options_of_the_command(folder):
    assert by_bash(folder, "diff", "--rt") == ["--rtol"]
    assert by_bash(folder, "inspect", "--rt") == []
    assert "--output" in by_bash(folder, "lock", "-")


def test_bash_completes_values(folder):
    assert by_bash(folder, "diff", "--color", "a") == ["auto", "always"]
    assert by_bash(folder, "diff", "--color", "=", "n") == ["never"]
    assert by_bash(folder, "check", "a", "--for", "transformers-") == ["transformers-4", "transformers-5"]
    assert by_bash(folder, "completion", "") == ["bash", "fish", "zsh"]
    assert by_bash(folder, "inspect", "--threads", "") == []


def test_bash_completes_paths(folder):
    assert sorted(by_bash(folder, "diff", "model")) == ["model one.pth", "model2.pth"]
    assert by_bash(folder, "inspect", "--html", "model2") == ["model2.pth"]


def test_fish_completes(folder):
    assert sorted(by_fish(folder, "")) == sorted(COMMANDS)
    assert by_fish(folder, "diff --rt") == ["--rtol"]
    assert sorted(by_fish(folder, "diff --color a")) == ["always", "auto"]
    assert sorted(by_fish(folder, "completion ")) == ["bash", "fish", "zsh"]
    assert "model2.pth" in by_fish(folder, "inspect mode")


# A terminal of zsh's own, in which a line is typed and completed; what zsh offers is printed in angle brackets.
ZSH = r"""
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1= ; fpath=($PWD \$fpath); autoload -U compinit; compinit -u -D"
zpty -w z 'widget() {
  compadd() { local -a found; builtin compadd -O found "$@"; print -l -- "<${^found}>"; builtin compadd "$@" }
  _main_complete; print DONE }'
zpty -w z 'zle -C widget complete-word widget; bindkey "^T" widget; print REA""DY'
zpty -r z out '*READY*'
zpty -n -w z "samebits $1"$'\x14'
zpty -r z out '*DONE*'
print -r -- $out
"""


def by_zsh(folder, line):
    out = run(folder, "zsh", "-f", "-c", ZSH, "zsh", line)
    return set(re.findall(r"<([^<>\s]+)>", out))


def test_zsh_completes(folder):
    assert "diff" in by_zsh(folder, "di")
    assert "--rtol" in by_zsh(folder, "diff --rt")
    assert "always" in by_zsh(folder, "diff --color al")
    assert "model2.pth" in by_zsh(folder, "inspect model2")


def test_scripts_are_in_their_shell_s_language(folder):
    for shell in ("bash", "fish", "zsh"):
        run(folder, shell, "-n", f"complete.{shell}")


def test_the_manual_has_every_command_and_option():
    page = printed("man")
    warned = subprocess.run(["groff", "-man", "-ww", "-Tascii", "-P-cbou"], input=page, capture_output=True, text=True, timeout=60)
    assert warned.returncode == 0 and warned.stderr == "", warned.stderr
    shown = warned.stdout
    for command in COMMANDS:
        assert f"samebits {command}" in shown
        names = re.findall(r"^  (?:-\w, )?(--[\w-]+)", printed(command, "--help"), re.MULTILINE)
        assert names and all(name in shown for name in names)


def test_cmake_installs_them(tmp_path):
    build = PROGRAM.resolve().parent
    if not (build / "cmake_install.cmake").exists():
        pytest.fail(f"{build} is no build directory")
    subprocess.run([shutil.which("cmake"), "--install", build, "--prefix", tmp_path], check=True, capture_output=True, timeout=120)
    share = tmp_path / "share"
    assert (share / "bash-completion/completions/samebits").read_text() == printed("completion", "bash")
    assert (share / "zsh/site-functions/_samebits").read_text() == printed("completion", "zsh")
    assert (share / "fish/vendor_completions.d/samebits.fish").read_text() == printed("completion", "fish")
    assert (share / "man/man1/samebits.1").read_text() == printed("man")
