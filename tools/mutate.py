#!/usr/bin/env python3
"""Plants one-line faults in the C++ sources and lists those that no test notices.

Usage: mutate.py [--layer NAME]... [--file PATH[:LINE]]... [--sample N] [--seed S] [--programs NAME,NAME]
                 [--tests PYTEST_FILE]... [--jobs N] [--list]

Works on a copy in build/mutants; the tree itself is only read. All faults of a run are compiled into one program
(tools/mutants.h), and the environment chooses the one that acts, so that a fault costs a run of some tests and no build.
A first run of each test says which faults it comes by; only those tests judge a fault: the unit tests of its layer and
of the layers above, or of --programs, then the pytest files of --tests with the mutated samebits.

The faults: the next and the opposite comparison, + for - and back, one operand of && or || left out, a condition always
true or false, ! left out, true for false, a number one more, one less or ten times as large, min for max, any_of for
all_of, and a statement left out. What does not compile is left out and counted.

Prints a line for each survivor, "file:line: old -> new", and counts for each layer. Exit status 1 where one survived. A
survivor is not always a missing test: some faults change nothing that can be seen.
"""

import argparse
import bisect
import collections
import concurrent.futures
import dataclasses
import hashlib
import json
import math
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading

import check_layers

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = ROOT / "build" / "mutants"
BUILD = COPY / "build" / "release"

TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)|(?P<directive>(?<![^\n])[ \t]*\#(?:[^\n]*\\\n)*[^\n]*)
    |(?P<string>(?:u8|[uUL])?(?:R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>(?:0[xX][\da-fA-F'.]+(?:[pP][+-]?\d+)?|\.?\d[\d'.]*(?:[eE][+-]?\d+)?)[uUlLzZfF]*)
    |(?P<word>[A-Za-z_]\w*)
    |(?P<mark2><=>|<<=|>>=|->\*|\.\.\.|::|->|\+\+|--|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|<<|.)""",
    re.VERBOSE | re.DOTALL)
RELATIONS = {"<": ("less", "<=", ">"), "<=": ("less_equal", "<", ">="),
             ">": ("greater", ">=", "<"), ">=": ("greater_equal", ">", "<=")}
ASSIGNMENTS = ("=", "+=", "-=", "*=", "/=", "|=", "&=", "^=", "%=", "<<=", ">>=")
KEYWORDS = {"return", "const", "auto", "using", "if", "else", "for", "while", "do", "switch", "case", "default", "throw",
            "delete", "new", "static", "constexpr", "struct", "class", "template", "typename", "namespace", "friend",
            "public", "private", "protected", "goto", "try", "catch", "operator", "static_assert", "sizeof", "bool",
            "int", "char", "double", "float", "long", "unsigned", "void", "extern", "inline", "explicit", "virtual"}


@dataclasses.dataclass
class Token:
    kind: str
    text: str
    start: int
    end: int
    spaced: bool = False  # white space on both sides
    mate: int = -1        # of a bracket, its partner
    scope: int = -1       # the innermost bracket that it stands in


@dataclasses.dataclass
class Mutant:
    file: str
    line: int
    column: int
    change: str
    id: int = 0

    def place(self):
        return f"{self.file}:{self.line}: {self.change}"


@dataclasses.dataclass
class Edit:
    """One change of the text with the faults that it makes possible: "@0" stands for the first one's number."""
    start: int
    end: int
    before: str
    after: str  # with before: written around the text; None: `before` replaces the text
    mutants: list
    constant: str = ""  # the constexpr declaration that has to become const
    kind: str = ""


class Source:
    """The tokens of a file and the edits that plant its faults."""

    def __init__(self, file, text):
        self.file, self.text = file, text
        self.lines = [0] + [match.end() for match in re.finditer("\n", text)]
        self.tokens = []
        self.edits = []
        self.constants = {}  # name of a constexpr variable: (start, end, replacement) of its keywords
        self.read_tokens()
        self.skipped = self.skipped_tokens()
        self.plant()

    def read_tokens(self):
        spaced = True
        for match in TOKEN.finditer(self.text):
            kind = "mark" if match.lastgroup == "mark2" else match.lastgroup
            if match.group("string"):
                kind = "string"
            if kind in ("space", "directive"):
                spaced = True
                continue
            following = self.text[match.end():match.end() + 1]
            self.tokens.append(Token(kind, match.group(), match.start(), match.end(), spaced and following.isspace()))
            spaced = False
        opened = []
        for i, token in enumerate(self.tokens):
            token.scope = opened[-1] if opened else -1
            if token.kind != "mark":
                continue
            if token.text in "([{":
                opened.append(i)
            elif token.text in ")]}" and opened:
                token.mate = opened.pop()
                self.tokens[token.mate].mate = i
                token.scope = self.tokens[token.mate].scope

    def is_at(self, i, *texts):
        return 0 <= i < len(self.tokens) and self.tokens[i].kind != "string" and self.tokens[i].text in texts

    def closing(self, i):
        return self.tokens[i].mate if self.tokens[i].mate > i else len(self.tokens) - 1

    def skipped_tokens(self):
        """Where the compiler wants constants, and checks of the programmer's own mistakes."""
        skipped = set()
        for i, token in enumerate(self.tokens):
            if token.text in ("static_assert", "SAMEBITS_CHECK", "alignas") and self.is_at(i + 1, "("):
                skipped.update(range(i, self.closing(i + 1) + 1))
            elif token.text == "case":
                skipped.update(range(i, self.scan(i, ":")))
            elif token.text == "enum":
                skipped.update(range(i, self.closing(self.scan(i, "{", ";")) + 1))
            elif token.text == "constexpr":
                skipped.update(self.constexpr_tokens(i))
        return skipped

    def scan(self, i, *ends):
        """The next token of `ends` outside brackets."""
        while i < len(self.tokens) and not self.is_at(i, *ends):
            i = self.closing(i) if self.is_at(i, "(", "[", "{") else i
            i += 1
        return min(i, len(self.tokens) - 1)

    def constexpr_tokens(self, i):
        """Of a function and of `if constexpr`: all of it. A variable is noted as one that can be made const."""
        if self.is_at(i - 1, "if"):
            return range(i, self.closing(i + 1) + 1)
        first = i
        while first > 0 and self.is_at(first - 1, "static", "inline"):
            first -= 1
        end = i
        while not self.is_at(end, "=", "{", "(", ";", "["):
            end += 1
        if self.is_at(end, "("):
            body = self.scan(end + 1 if self.tokens[end].mate < 0 else self.closing(end), "{", ";")
            return range(i, self.closing(body) + 1)
        words = {self.tokens[k].text for k in range(first, i)}
        scope = self.tokens[i].scope
        in_class = scope >= 0 and any(self.is_at(k, "class", "struct") for k in range(max(scope - 12, 0), scope)
                                      if not any(self.is_at(m, ";", "}", ")") for m in range(k, scope)))
        keywords = "static inline const" if in_class else " ".join(sorted(words - {"constexpr"}, reverse=True) + ["const"])
        name = self.tokens[end - 1].text
        last = self.scan(end, ";")
        self.constants[name] = (self.tokens[first].start, self.tokens[i].end, keywords, self.tokens[last].end)
        return ()

    def constant_at(self, position):
        for name, (start, _, _, end) in self.constants.items():
            if start <= position < end:
                return name
        return ""

    def line_of(self, position):
        return bisect.bisect_right(self.lines, position)

    def add(self, kind, start, end, before, after, *changes):
        line = self.line_of(start)
        column = start - self.lines[line - 1] + 1
        mutants = [Mutant(self.file, line, column, change) for change in changes]
        self.edits.append(Edit(start, end, before, after, mutants, self.constant_at(start), kind))

    def plant(self):
        for i, token in enumerate(self.tokens):
            if i in self.skipped or token.kind == "string":
                continue
            self.plant_operator(i, token)
            self.plant_word(i, token)
            if token.kind == "number":
                self.plant_number(i, token)
            if i == 0 or self.is_at(i - 1, ";", "{", "}", ")", "else"):
                self.plant_statement(i)

    def around(self, token):
        """The operator with a little of what stands beside it."""
        line = self.line_of(token.start)
        ends = self.lines[line] - 1 if line < len(self.lines) else len(self.text)
        left = self.text[max(token.start - 24, self.lines[line - 1]):token.start].lstrip()
        return left, self.text[token.end:min(token.end + 24, ends)].rstrip()

    def replaced(self, token, text):
        left, right = self.around(token)
        return f"{left}{token.text}{right} -> {left}{text}{right}"

    def plant_operator(self, i, token):
        text = token.text
        if token.kind != "mark" or self.is_at(i - 1, "operator"):
            return
        if text in RELATIONS and token.spaced:
            name, near, far = RELATIONS[text]
            self.add("relation", token.start, token.end, f"< ::mutants::{name}<@0> <", None,
                     self.replaced(token, near), self.replaced(token, far))
        elif text in ("==", "!="):
            other = {"==": "!=", "!=": "=="}[text]
            name = {"==": "equal", "!=": "unequal"}[text]
            self.add("equality", token.start, token.end, f"== ::mutants::{name}<@0> ==", None, self.replaced(token, other))
        elif text in ("+", "-") and token.spaced and not self.beside_string(i):
            name, other = {"+": ("plus", "-"), "-": ("minus", "+")}[text]
            self.add("sum", token.start, token.end, f"+ ::mutants::{name}<@0> +", None, self.replaced(token, other))
        elif text in ("&&", "||") and token.spaced:
            self.plant_operands(i, text)
        elif text == "!":
            self.add("not", token.start, token.end, "::mutants::no<@0> * ", None, self.replaced(token, ""))

    def beside_string(self, i):
        return any(self.tokens[k].kind == "string" and self.tokens[k].text.endswith('"')
                   for k in (i - 1, i + 1) if 0 <= k < len(self.tokens))

    def plant_operands(self, i, text):
        stops = ("||", "?", ":", ",", ";", "=", "return", "+=", "|=", "&=") + (("&&",) if text == "&&" else ())
        right = i + 1
        while right < len(self.tokens) and not self.is_at(right, ")", "]", "}", *stops):
            right = self.closing(right) + 1 if self.is_at(right, "(", "[", "{") else right + 1
        self.plant_operand(i + 1, right - 1, text)
        left = i - 1
        while left >= 0 and not self.is_at(left, "(", "[", "{", *stops):
            left = self.tokens[left].mate - 1 if self.is_at(left, ")", "]", "}") else left - 1
        if not self.is_at(left, text):
            self.plant_operand(left + 1, i - 1, text)

    def plant_operand(self, first, last, text):
        start, end = self.tokens[first].start, self.tokens[last].end
        shown = " ".join(self.text[start:end].split())
        before = "(::mutants::on(@0) || (" if text == "&&" else "(!::mutants::on(@0) && ("
        self.add("operand", start, end, before, "))", f"{shown}, an operand of {text} -> left out")

    def plant_word(self, i, token):
        if token.text in ("true", "false"):
            other = "false" if token.text == "true" else "true"
            self.add("bool", token.start, token.end, f"(::mutants::on(@0) ? {other} : {token.text})", None,
                     self.replaced(token, other))
        elif token.text == "if" and self.is_at(i + 1, "("):
            self.plant_condition(i + 1)
        elif token.text in ("min", "max") and self.is_at(i - 1, "::") and self.is_at(i - 2, "std"):
            other = "max" if token.text == "min" else "min"
            smaller = "true" if token.text == "min" else "false"
            self.add("extreme", self.tokens[i - 2].start, token.end, f"::mutants::Extreme<@0, {smaller}>::of", None,
                     self.replaced(token, other))
        elif token.text in ("all_of", "any_of", "none_of") and self.is_at(i - 1, "::") and self.is_at(i + 1, "("):
            first = i - 4 if self.is_at(i - 2, "ranges") else i - 2
            other = "all_of" if token.text == "any_of" else "any_of"
            self.add("quantifier", self.tokens[first].start, token.end, f"::mutants::Quantifier<@0>::{token.text}", None,
                     self.replaced(token, other))

    def plant_condition(self, i):
        end = self.closing(i)
        inner = range(i + 1, end)
        if any(self.tokens[k].scope == i and self.is_at(k, ";", "=") for k in inner):
            return
        start, stop = self.tokens[i].end, self.tokens[end].start
        shown = " ".join(self.text[start:stop].split())
        self.add("condition", start, stop, "::mutants::on(@0) || (!::mutants::on(@1) && (", "))", f"if ({shown}) -> if (true)",
                 f"if ({shown}) -> if (false)")

    def plant_number(self, i, token):
        if any(self.is_at(k, mark) and not self.tokens[k].spaced for k, mark in ((i - 1, "<"), (i + 1, ">"))):
            return  # a template's argument
        text = token.text
        is_hex = text[:2] in ("0x", "0X")
        if "." in text or "p" in text or (not is_hex and "e" in text):
            changes = {f"{text} * 10": f"10 * {text}", f"{text} / 10": f"{text} / 10"}
            if float_of(text) == 0:
                changes = {f"{text} + 1": "1.0"}
        else:
            digits = re.sub("[uUlLzZ']", "", text)
            value = int(digits, 0 if is_hex else 8 if digits.startswith("0") else 10)
            changes = {f"{text} + 1": value + 1}
            if value > 0:
                changes[f"{text} - 1"] = value - 1
            if value > 1:
                changes[f"{text} * 10"] = value * 10
        chosen = "".join(f"::mutants::on(@{k}) ? {change} : " for k, change in enumerate(changes))
        shown = [self.replaced(token, str(change)) for change in changes.values()]
        self.add("number", token.start, token.end, f"({chosen}{text})", None, *shown)

    def plant_statement(self, i):
        if self.is_at(i - 1, ")") and not self.ends_condition(i - 1):
            return
        if self.tokens[i].text in ("continue", "break") and self.is_at(i + 1, ";"):
            end = i + 1
        else:
            end = self.plain_statement(i)
        if end is None:
            return
        start, stop = self.tokens[i].start, self.tokens[end].end
        shown = " ".join(self.text[start:stop].split())
        self.add("statement", start, stop, "{ if (!::mutants::on(@0)) ", " }", f"{shown} -> left out")

    def ends_condition(self, i):
        opening = self.tokens[i].mate
        return opening > 0 and self.is_at(opening - 1, "if", "for", "while")

    def plain_statement(self, i):
        """The ';' of a call or an assignment, or None where it could be a declaration or anything else."""
        k = i
        while self.is_at(k, "*", "++", "--"):
            k += 1
        word_before = called = False
        while k < len(self.tokens):
            token = self.tokens[k]
            if token.kind == "word":
                if word_before or token.text in KEYWORDS or re.match(r"[A-Z][A-Z_]{3,}", token.text):
                    return None
                word_before = True
            elif self.is_at(k, "(", "["):
                called = token.text == "("
                k = self.closing(k)
            elif self.is_at(k, ".", "->", "::"):
                word_before = called = False
            elif self.is_at(k, *ASSIGNMENTS):
                return self.scan(k, ";")
            elif self.is_at(k, ";"):
                return k if called or self.is_at(i, "++", "--") or self.is_at(k - 1, "++", "--") else None
            elif not self.is_at(k, "++", "--"):
                return None
            k += 1
        return None

    def mutated(self):
        """The text with all edits, on the same lines."""
        events = []
        for name in {edit.constant for edit in self.edits if edit.constant}:
            start, end, keywords, _ = self.constants[name]
            events.append(((start, 2, 0), end, keywords))
        for edit in self.edits:
            numbers = lambda text, edit=edit: re.sub("@(\\d)", lambda m: str(edit.mutants[int(m.group(1))].id), text)
            span = edit.end - edit.start
            if edit.after is None:
                events.append(((edit.start, 2, 0), edit.end, numbers(edit.before)))
            else:
                events.append(((edit.start, 1, -span), edit.start, numbers(edit.before)))
                events.append(((edit.end, 0, span), edit.end, numbers(edit.after)))
        parts, done = [], 0
        for (start, _, _), end, text in sorted(events):
            parts += [self.text[done:start], text]
            done = end
        include = '#include "tools/mutants.h"\n#line 1\n'
        return include + "".join(parts) + self.text[done:]


def float_of(text):
    text = re.sub("[fFlL']", "", text)
    return float.fromhex(text) if text[:2] in ("0x", "0X") else float(text)


def error_blocks(log):
    """Each error of GCC with the lines in front of it that say by what way it came there, and the notes behind it."""
    blocks, way = [], []
    for line in log.splitlines():
        if " error: " in line:
            blocks.append(way + [line])
            way = []
        elif " required from " in line or re.search(r": In |^In file included", line):
            way.append(line)
        elif blocks:
            blocks[-1].append(line)
    return ["\n".join(block) for block in blocks]


class Faults:
    """The mutated sources of a run."""

    def __init__(self, files):
        self.sources = {}
        self.memory_file = COPY / "does_not_compile.json"
        self.memory = json.loads(self.memory_file.read_text()) if self.memory_file.exists() else {}
        self.left_out = 0
        number = 0
        for file in files:
            source = Source(file, (ROOT / file).read_text())
            self.sources[file] = source
            for edit in source.edits:
                for mutant in edit.mutants:
                    number += 1
                    mutant.id = number
            known = set(map(tuple, self.memory.get(self.key(source), [])))
            self.drop(source, lambda edit: (edit.start, edit.kind) in known)

    @staticmethod
    def key(source):
        return hashlib.sha256((source.file + source.text).encode()).hexdigest()

    def drop(self, source, is_bad):
        bad = [edit for edit in source.edits if is_bad(edit)]
        if not bad:
            return False
        source.edits = [edit for edit in source.edits if not is_bad(edit)]
        self.left_out += sum(len(edit.mutants) for edit in bad)
        known = self.memory.setdefault(self.key(source), [])
        known += [[edit.start, edit.kind] for edit in bad if [edit.start, edit.kind] not in known]
        return True

    def mutants(self):
        return [mutant for source in self.sources.values() for edit in source.edits for mutant in edit.mutants]

    def drop_errors(self, log):
        """Leaves out what the compiler complains of; False where that is nothing of ours."""
        progress = False
        for block in error_blocks(log):
            places = re.findall(r"(samebits/[\w/]+\.(?:cc|h)):(\d+):", block)
            is_sum = "static assertion failed" in block
            head, *rest = places or [("", "0")]
            progress |= self.drop_places([head], is_sum) or self.drop_places(rest, is_sum) or self.drop_constants(places)
        self.memory_file.write_text(json.dumps(self.memory))
        return progress

    def drop_places(self, places, is_sum):
        dropped = False
        for file, line in places:
            source = self.sources.get(file)
            if source is None:
                continue

            def is_bad(edit, source=source, line=int(line)):
                first, last = source.line_of(edit.start), source.line_of(edit.end)
                is_wide = edit.after is not None and edit.kind != "statement"  # a condition of several lines
                return (first == line if is_wide else first <= line <= last) and (edit.kind == "sum" or not is_sum)

            dropped |= self.drop(source, is_bad)
        return dropped

    def drop_constants(self, places):
        """A variable that is no constant any more is used as one on these lines."""
        dropped = False
        for file, line in places:
            text = (ROOT / file).read_text().split("\n")[int(line) - 1]
            names = set(re.findall(r"\w+", text))
            for source in self.sources.values():
                dropped |= self.drop(source, lambda edit: edit.constant in names)
        return dropped


def tree_files():
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [file for file in listed.stdout.splitlines() if (ROOT / file).is_file()]


def write_if_other(path, content):
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def copy_tree(faults):
    files = tree_files()
    for file in files:
        source = faults.sources.get(file)
        content = source.mutated().encode() if source else (ROOT / file).read_bytes()
        write_if_other(COPY / file, content)
    for path in (COPY / "samebits").rglob("*"):
        if path.is_file() and str(path.relative_to(COPY)) not in set(files):
            path.unlink()


def build(faults, targets, jobs):
    for attempt in range(20):
        copy_tree(faults)
        if attempt == 0:
            subprocess.run(["cmake", "--preset", "release"], cwd=COPY, check=True, stdout=subprocess.DEVNULL)
        command = ["nice", "ninja", "-k", "0", "-j", str(jobs), "-C", str(BUILD), *targets]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
        if done.returncode == 0:
            return
        before = faults.left_out
        if not faults.drop_errors(done.stdout):
            sys.exit(done.stdout[-6000:] + "\nthe mutated sources do not build")
        print(f"left out {faults.left_out - before} faults that do not compile", flush=True)
    sys.exit("the mutated sources do not build after 20 attempts")


running = set()  # of process groups


def stop(*_):
    for group in list(running):
        os.killpg(group, signal.SIGKILL)
    os._exit(130)


def run_program(command, seconds, **environment):
    """Whether it ended well within these seconds of processor time, and how many it took."""
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds) + 1))
        resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.nice(10)

    process = subprocess.Popen(command, cwd=COPY, env={**os.environ, **environment}, preexec_fn=limit,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    # One that waits takes no processor time.
    watch = threading.Timer(60 + 30 * seconds, os.killpg, (process.pid, signal.SIGKILL))
    watch.start()
    running.add(process.pid)
    _, status, usage = os.wait4(process.pid, 0)
    running.discard(process.pid)
    watch.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode == 0, usage.ru_utime + usage.ru_stime


class UnitTests:
    """Some GoogleTest cases of one program."""

    def __init__(self, program, case):
        self.program, self.case = program, case
        self.seconds = 0.0

    def run(self, seconds, **environment):
        return run_program([str(BUILD / self.program), f"--gtest_filter={self.case}"], seconds, **environment)


class PythonTests:
    """One pytest file, run with the mutated program."""

    def __init__(self, file):
        self.file = file
        self.seconds = 0.0

    def run(self, seconds, **environment):
        command = [os.environ.get("T5", sys.executable), "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", self.file]
        return run_program(command, seconds, SAMEBITS=str(BUILD / "samebits"), **environment)


def unit_cases(program):
    listing = subprocess.run([BUILD / program, "--gtest_list_tests"], capture_output=True, text=True, check=True).stdout
    suite = ""
    for line in listing.splitlines():
        name = line.split("#")[0].strip()
        if not line.startswith(" "):
            suite = name if "." in name else ""
        elif suite:
            yield UnitTests(program, suite + name)


def measure(tests, jobs):
    """Which faults each test comes by, in a run without any."""
    folder = COPY / "seen"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

    def run_one(numbered):
        number, test = numbered
        seen = folder / str(number)
        passed, test.seconds = test.run(600, SAMEBITS_MUTANT="0", SAMEBITS_MUTANTS_SEEN=str(seen))
        if not passed:
            print(f"fails without any fault, and is left out: {vars(test)}")
            return test, set()
        return test, set(map(int, seen.read_text().split())) if seen.exists() else set()

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(run_one, enumerate(tests)))


def is_noticed(mutant, tests):
    groups = collections.defaultdict(list)  # unit tests of one program run as one process
    for test in tests:
        groups[getattr(test, "program", getattr(test, "file", ""))].append(test)
    for group in sorted(groups.values(), key=lambda group: sum(test.seconds for test in group)):
        test = group[0]
        if isinstance(test, UnitTests):
            quick_first = sorted(group, key=lambda test: test.seconds)
            test = UnitTests(test.program, ":".join(test.case for test in quick_first[:400]))
        start = min(each.seconds for each in group)  # of the program, once and not for each of its cases
        seconds = 2 + 4 * (start + sum(each.seconds - start for each in group))
        passed, _ = test.run(seconds, SAMEBITS_MUTANT=str(mutant.id), GTEST_FAIL_FAST="1")
        if not passed:
            return True
    return False


def layer_of(file):
    return pathlib.Path(file).parts[1]


def programs_for(layers):
    """The unit-test programs of these layers and of those that stand on them."""
    allowed = check_layers.reachable(check_layers.declared_layers(ROOT))
    users = [name for name, below in allowed.items() if below & set(layers)]
    return [f"{name}_test" for name in users if list((ROOT / "samebits" / name).glob("*_test.cc"))]


def chosen_files(options):
    files = [place.split(":")[0] for place in options.file]
    for layer in options.layer:
        folder = ROOT / "samebits" / layer
        files += [str(path.relative_to(ROOT)) for path in sorted(folder.glob("*.cc")) if not path.name.endswith("_test.cc")]
    return list(dict.fromkeys(files))


def chosen_mutants(options, faults):
    lines = {tuple(place.split(":")) for place in options.file if ":" in place}
    files_of_lines = {file for file, _ in lines}
    mutants = [mutant for mutant in faults.mutants()
               if mutant.file not in files_of_lines or (mutant.file, str(mutant.line)) in lines]
    if options.sample and options.sample < len(mutants):
        mutants = random.Random(options.seed).sample(mutants, options.sample)
    return sorted(mutants, key=lambda mutant: mutant.id)


def report(mutants, outcomes, left_out):
    counts = collections.defaultdict(collections.Counter)
    for mutant in mutants:
        outcome = outcomes[mutant.id]
        counts[layer_of(mutant.file)][outcome] += 1
    for layer, count in counts.items():
        print(f"{layer}: {sum(count.values())} faults, {count['noticed']} noticed, {count['survived']} survived, "
              f"{count['not reached']} that no test comes by")
    print(f"{left_out} faults did not compile")
    return 1 if any(outcome != "noticed" for outcome in outcomes.values()) else 0


def parsed_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layer", action="append", default=[])
    parser.add_argument("--file", action="append", default=[])
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--programs", default="")
    parser.add_argument("--tests", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--list", action="store_true", help="print the faults, build nothing")
    options = parser.parse_args()
    if not options.layer and not options.file:
        parser.error("say --layer or --file")
    return options


def main():
    options = parsed_options()
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    COPY.mkdir(parents=True, exist_ok=True)
    faults = Faults(chosen_files(options))
    if options.list:
        for mutant in chosen_mutants(options, faults):
            print(mutant.place())
        return 0
    programs = options.programs.split(",") if options.programs else programs_for({layer_of(file) for file in faults.sources})
    build(faults, programs + (["samebits"] if options.tests else []), options.jobs)
    tests = [case for program in programs for case in unit_cases(program)] + [PythonTests(file) for file in options.tests]
    judges = collections.defaultdict(list)
    for test, seen in measure(tests, options.jobs):
        for number in seen:
            judges[number].append(test)
    mutants = chosen_mutants(options, faults)
    print(f"{len(mutants)} faults, {len(tests)} tests", flush=True)

    def judge(mutant):
        # The far side of a comparison is noted under the number of the near one.
        judging = judges[mutant.id] or next((judges[m.id] for m in siblings[mutant.id] if judges[m.id]), [])
        outcome = "not reached" if not judging else "noticed" if is_noticed(mutant, judging) else "survived"
        if outcome != "noticed":
            print(mutant.place() + ("" if judging else "  (no test comes by)"), flush=True)
        return mutant.id, outcome

    siblings = {mutant.id: edit.mutants for source in faults.sources.values() for edit in source.edits for mutant in edit.mutants}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        outcomes = dict(pool.map(judge, mutants))
    return report(mutants, outcomes, faults.left_out)


if __name__ == "__main__":
    sys.exit(main())
