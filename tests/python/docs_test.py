"""The examples of docs/python.md."""

import doctest
import pathlib
import re

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "python.md"


def test_the_examples_of_the_page(example, monkeypatch):
    monkeypatch.chdir(example)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    assert len(blocks) > 5
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, PAGE.name, str(PAGE), 0)
    said = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert result.failed == 0, "".join(said)
    assert result.attempted > 15


def test_what_the_package_offers_is_on_the_page():
    import samebits

    page = PAGE.read_text()
    functions = [name for name in samebits.__all__ if name[0].islower()]
    assert [name for name in functions if name not in page] == []
