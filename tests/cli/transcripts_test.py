"""Every transcript holds, to the letter."""

import pytest
import transcript


@pytest.mark.parametrize("path", transcript.files(), ids=lambda path: path.stem)
def test_transcript(path, tmp_path):
    environment = transcript.prepare(tmp_path)
    text = path.read_text()
    assert transcript.replay(text, tmp_path, environment).splitlines() == text.splitlines(), "approve.py accepts it"


def test_a_wrong_answer_is_noticed(tmp_path):
    environment = transcript.prepare(tmp_path)
    text = "$ samebits --version\nsamebits 0\n[exit 0]\n"
    assert transcript.replay(text, tmp_path, environment) != text
