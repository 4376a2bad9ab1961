"""The rule of layers holds in this tree, and the check of it catches what it should."""

import pathlib
import re
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import check_layers  # noqa: E402

TREE = {
    "CMakeLists.txt": "samebits_layer(base LIBRARIES fmt::fmt)\nsamebits_layer(tensor DEPENDS base)\nsamebits_layer(zip DEPENDS tensor)\n",
    "ARCHITECTURE.md": "| `base` | | x |\n| `tensor` | `base` | x |\n| `zip` | `tensor` | x |\n",
    "samebits/base/error.h": "#include <string>\n",
    "samebits/tensor/tensor.h": '#include "samebits/base/error.h"\n',
    "samebits/zip/zip.cc": '#include "samebits/base/error.h"\n#include "samebits/tensor/tensor.h"\n',
}


def violations(**changes):
    """What the check says of TREE with some files replaced; keys name a file by its stem."""
    files = dict(TREE)
    for name, text in changes.items():
        files[next(path for path in files if pathlib.Path(path).stem == name)] = text
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return check_layers.violations(root)


# What the library leaves to cli: printing, ending, signals, environment, locale, clocks.
CALLS_OF_CLI = re.compile(
    r"\b(getenv|setlocale|std::locale|printf|fprintf|puts|fputs|putchar|std::(?:cout|cerr|clog)|perror|exit|_exit|abort|terminate|"
    r"signal|sigaction|isatty|(?:steady|system|high_resolution)_clock|clock_gettime|gettimeofday|localtime|gmtime|strftime|std::time)\b(?!\.)"
)
ONLY_BROKEN_INVARIANTS = ROOT / "samebits" / "base" / "error.cc"


def calls_of_cli(text):
    """The lines of C++ that make such a call; comments and strings make none."""
    code = re.sub(r'R"(\w*)\(.*?\)\1"', '""', text, flags=re.DOTALL)
    lines = [re.sub(r'//.*|"(?:\\.|[^"\\])*"', "", line) for line in code.splitlines()]
    return [line.strip() for line in lines if CALLS_OF_CLI.search(line)]


class LibraryTest(unittest.TestCase):
    def test_the_library_neither_prints_nor_asks_the_system_for_its_mood(self):
        for path in sorted((ROOT / "samebits").glob("*/*.*")):
            if path.parent.name in ("cli", "python") or path.name.endswith("_test.cc") or path == ONLY_BROKEN_INVARIANTS:
                continue
            self.assertEqual(calls_of_cli(path.read_text()), [], path)

    def test_such_calls_are_found_in_code_alone(self):
        self.assertEqual(len(calls_of_cli('  std::fprintf(stderr, "x");\n  auto t = std::chrono::steady_clock::now();\n')), 2)
        self.assertEqual(calls_of_cli('// getenv\nstd::snprintf(a, 1, "exit");\nauto x = R"js(abort();\nexit();)js";\n'), [])


class LayersTest(unittest.TestCase):
    def test_this_tree_has_no_back_edge(self):
        self.assertEqual(check_layers.violations(ROOT), [])

    def test_a_clean_tree_passes_with_indirect_dependencies(self):
        self.assertEqual(violations(), [])

    def test_a_back_edge_fails_and_is_located(self):
        found = violations(error='#include <string>\n#include "samebits/tensor/tensor.h"\n')
        self.assertEqual(found, ["samebits/base/error.h:2: base may not include tensor/tensor.h"])

    def test_a_back_edge_in_angle_brackets_fails(self):
        self.assertEqual(len(violations(error="#include <samebits/zip/zip.h>\n")), 1)

    def test_a_header_that_does_not_exist_fails(self):
        found = violations(tensor='#include "samebits/base/gone.h"\n')
        self.assertEqual(found, ["samebits/tensor/tensor.h:1: samebits/base/gone.h does not exist"])

    def test_a_declared_back_edge_fails(self):
        cmake = TREE["CMakeLists.txt"].replace("base LIBRARIES", "base DEPENDS zip LIBRARIES")
        self.assertIn("base depends on zip", violations(CMakeLists=cmake)[0])

    def test_a_folder_that_is_no_layer_fails(self):
        cmake = "samebits_layer(base)\nsamebits_layer(tensor DEPENDS base)\n"
        self.assertIn("samebits/zip: no samebits_layer(zip) in CMakeLists.txt", violations(CMakeLists=cmake))

    def test_a_table_that_disagrees_with_cmake_fails(self):
        table = TREE["ARCHITECTURE.md"].replace("| `base` | x", "| | x")
        self.assertIn("ARCHITECTURE.md", violations(ARCHITECTURE=table)[0])


if __name__ == "__main__":
    unittest.main()
