"""Rows that somebody else wrote, or that a disk damaged, are told in a line."""

import json
from pathlib import Path
from typing import Any

import pytest

from training.errors import BadData
from training.rows import read_pairs, read_prompts, read_supervised

GOOD: dict[str, Any] = {
    "prompt": [{"role": "user", "content": "When?"}],
    "completion": [{"role": "assistant", "content": "On Friday."}],
    "chosen": [{"role": "assistant", "content": "On Friday."}],
    "rejected": [{"role": "assistant", "content": "Soon."}],
    "thread": "demo/1",
    "comment": 1,
    "weight": 0.5,
}


def file_of(folder: Path, line: bytes) -> Path:
    file = folder / "rows.jsonl"
    file.write_bytes(json.dumps(GOOD).encode() + b"\n" + line + b"\n")
    return file


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[1]",
        b'"\xff\xfe"',
        b"[" * 100_000,
        json.dumps({**GOOD, "prompt": []}).encode(),
        json.dumps({**GOOD, "prompt": ["When?"]}).encode(),
        json.dumps({**GOOD, "prompt": [{"content": "When?"}]}).encode(),
        json.dumps({**GOOD, "weight": None}).encode(),
        json.dumps({**GOOD, "weight": "1"}).encode(),
        json.dumps({**GOOD, "weight": [1]}).encode(),
        json.dumps({**GOOD, "comment": [1]}).encode(),
        json.dumps({**GOOD, "thread": {"a": 1}}).encode(),
    ],
)
def test_a_line_of_another_shape_is_named_with_the_cure(tmp_path: Path, line: bytes) -> None:
    file = file_of(tmp_path, line)
    for read in (read_supervised, read_pairs, read_prompts):
        with pytest.raises(BadData, match=r"line 2 is no row with a prompt; write the data again"):
            read(file)


@pytest.mark.parametrize("content", [None, 5, {"a": 1}, ["x"]])
def test_what_is_no_text_is_not_learned_as_a_reply(tmp_path: Path, content: Any) -> None:
    said = [{"role": "assistant", "content": content}]
    file = file_of(tmp_path, json.dumps({**GOOD, "completion": said, "rejected": said}).encode())
    with pytest.raises(BadData, match="a row has no completion"):
        read_supervised(file)
    with pytest.raises(BadData, match="a row has no rejected"):
        read_pairs(file)


def test_half_a_character_is_a_question_mark_as_no_tokenizer_takes_it(tmp_path: Path) -> None:
    row = {
        **GOOD,
        "prompt": [{"role": "user", "content": "一\ud800二"}],
        "completion": [{"role": "assistant", "content": "\udfffOn Friday 😀"}],
    }
    [_, found] = read_supervised(file_of(tmp_path, json.dumps(row).encode()))
    assert (found.prompt.messages[0]["content"], found.completion) == ("一?二", "?On Friday 😀")


def test_rows_are_read_as_they_are(tmp_path: Path) -> None:
    file = file_of(tmp_path, json.dumps({**GOOD, "weight": 2}).encode() + b"\r")
    assert [one.weight for one in read_supervised(file)] == [0.5, 2.0]
    assert read_pairs(file)[0].prompt.extra == {"thread": "demo/1", "comment": 1}
