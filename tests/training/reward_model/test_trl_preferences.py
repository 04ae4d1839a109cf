import json
from pathlib import Path

import pytest

from browser_env.errors import RecordError
from training.reward_model.trl_preferences import read_trl_preferences


@pytest.mark.parametrize(
    ("row", "text", "answers"),
    [
        ({"prompt": "Why?", "chosen": "So.", "rejected": "No."}, "Why?◼", ["So.", "No."]),
        (
            {"prompt": "Why?◼[1] A (b.c)\n\nText◼", "chosen": "So [1].◼", "rejected": ""},
            "Why?◼[1] A (b.c)\n\nText◼",
            ["So [1].", ""],
        ),
        (
            {
                "prompt": [{"role": "user", "content": "Why?"}],
                "chosen": [{"role": "assistant", "content": "So."}],
                "rejected": [{"role": "assistant", "content": "No."}],
            },
            "Why?◼",
            ["So.", "No."],
        ),
        (
            {
                "chosen": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}],
                "rejected": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "No."}],
            },
            "Why?◼",
            ["So.", "No."],
        ),
    ],
    ids=["texts", "ours", "messages", "messages without a prompt"],
)
def test_preferences_in_trl_format_are_read(row: dict[str, object], text: str, answers: list[str], tmp_path: Path) -> None:
    file = tmp_path / "preferences.jsonl"
    file.write_text(f"{json.dumps(row)}\n\n")
    (group,) = read_trl_preferences(file)
    assert [candidate.text for candidate in group.candidates] == [text, text]
    assert [candidate.answer for candidate in group.candidates] == answers
    assert (group.question, group.levels) == ("Why?", (1.0, 0.0))


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"chosen": "a"}', '{"chosen": "a", "rejected": "b"}', '{"prompt": "p", "chosen": 1, "rejected": "b"}']
)
def test_the_error_of_a_malformed_line_names_the_line(line: str, tmp_path: Path) -> None:
    file = tmp_path / "preferences.jsonl"
    file.write_text(f'{{"prompt": "p", "chosen": "a", "rejected": "b"}}\n{line}\n')
    with pytest.raises(RecordError, match=r"preferences\.jsonl:2: is not a preference in TRL's format"):
        list(read_trl_preferences(file))
