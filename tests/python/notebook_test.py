"""The notebook of the examples shows what its cells give.

python tests/python/notebook_test.py renews it: run by an interpreter with torch, with the package on its path.
"""

import ast
import contextlib
import io
import json
import pathlib
import tempfile

NOTEBOOK = pathlib.Path(__file__).resolve().parents[2] / "examples" / "two-models.ipynb"


def outputs_of(code, namespace, name):
    """What a cell prints, and what its last expression is, as a notebook keeps them."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    value = None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, name, "exec"), namespace)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)
    outputs = []
    if printed.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": printed.getvalue().splitlines(keepends=True)})
    if value is not None:
        text = repr(value).splitlines(keepends=True)
        outputs.append({"data": {"text/plain": text}, "execution_count": None, "metadata": {}, "output_type": "execute_result"})
    return outputs


def executed(notebook):
    """The notebook with the outputs of one run, from top to bottom, in an empty folder."""
    namespace = {"__name__": "__main__"}
    done = json.loads(json.dumps(notebook))
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for cell in done["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"] = outputs_of("".join(cell["source"]), namespace, NOTEBOOK.name)
    return done


def test_the_notebook_shows_what_its_cells_give():
    notebook = json.loads(NOTEBOOK.read_text())
    assert sum(cell["cell_type"] == "code" for cell in notebook["cells"]) > 4
    assert executed(notebook) == notebook


if __name__ == "__main__":
    NOTEBOOK.write_text(json.dumps(executed(json.loads(NOTEBOOK.read_text())), indent=1, ensure_ascii=False) + "\n")
