"""The inner loops of matrix products, as the compiler made them: all that they keep is in registers.

A clock on a shared machine does not tell, and on one processor a loop that goes through memory costs nothing where on another it doubles
every pass. So the program's own instructions are read.
"""

import platform
import re
import subprocess

from transcript import PROGRAM
import pytest

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="reads x86-64 instructions")

FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
INSTRUCTION = re.compile(r"^\s+([0-9a-f]+):\t(\S+)\s*(.*)$")


def functions(word):
    """name -> [(address, mnemonic, operands)] of those whose name has the word."""
    text = subprocess.run(["objdump", "-dC", "--no-show-raw-insn", PROGRAM], capture_output=True, text=True, check=True).stdout
    found, lines = [], None
    for line in text.splitlines():
        if begin := FUNCTION.match(line):
            lines = [] if word in begin[1] else None
            if lines is not None:
                found.append((begin[1], lines))
        elif lines is not None and (parts := INSTRUCTION.match(line)):
            lines.append((int(parts[1], 16), parts[2], re.sub(r"\s+[<#].*", "", parts[3])))
    return found


def loops(instructions):
    """What lies between a jump backwards and where it goes."""
    for i, (address, name, operands) in enumerate(instructions):
        if name.startswith("j") and re.fullmatch(r"[0-9a-f]+", operands) and int(operands, 16) <= address:
            yield [each for each in instructions[: i + 1] if each[0] >= int(operands, 16)]


def product_loops(instructions):
    """The innermost loops with packed multiply-adds, with how many they have."""
    found = []
    for loop in sorted(loops(instructions), key=len):
        count = sum(bool(re.fullmatch(r"vfmadd\d+ps", name)) for _, name, _ in loop)
        if count > 0 and not any(inner[0] in loop for _, inner in found):
            found.append((count, loop))
    return found


def writes_memory(name, operands):
    return bool(re.search(r"\(%\w+.*\)$", operands)) and not re.match(r"prefetch|cmp|test|j|nop", name)


def through_memory(loop):
    """Instructions that write to memory, or read from the stack."""
    return [f"{name} {operands}" for _, name, operands in loop if writes_memory(name, operands) or re.search(r"\(%r[sb]p", operands)]


@pytest.fixture(scope="module")
def products():
    """(name, multiply-adds, loop)"""
    named = functions("multiply_block<") + functions("::multiply_panel(")
    return [(name, count, loop) for name, instructions in named for count, loop in product_loops(instructions)]


def test_the_loops_are_found(products):
    counts = {count for _, count, _ in products}
    assert {2 * rows for rows in range(1, 15)} <= counts  # AVX-512: two vectors of each row
    assert {4, 8, 12} <= counts  # AVX2: four


def test_what_a_loop_keeps_is_in_registers(products):
    assert {f"{name}: {line}" for name, _, loop in products for line in through_memory(loop)} == set()
