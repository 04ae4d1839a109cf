import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.evaluation.benchmark import Benchmark, file_stem
from agent.evaluation.judges import Lexical
from agent.evaluation.metrics import METRICS, Row
from agent.evaluation.summary import markdown_table, summarize
from agent.intervals import estimate
from agent.policies.scripted import Scripted
from agent.policies.search_only import SearchOnly
from agent.policy import Completion, Prompt
from agent.question_sets.selection import choose, digest
from browser_env.backends import FakeBackend
from browser_env.errors import RecordError, UsageError
from browser_env.pages.page import Page
from browser_env.records import Episode, Evidence, Question, Settings
from browser_env.records.storage import read_records

PAGES = [
    Page(url=f"https://{bird}.org/", title=bird, text=f"The {bird} is a bird.\n\nEvery {bird} eats {food} all day long.")
    for bird, food in (("crow", "nuts"), ("owl", "mice"), ("heron", "fish"), ("robin", "worms"))
]
QUESTIONS = [
    Question(
        id=f"{page.title}?",
        text=f"What does a {page.title} eat?",
        kind="describe",
        answers=(page.text.split()[-4],),
        evidence=(Evidence(url=page.url, sentences=(page.text.partition("\n\n")[2],)),),
    )
    for page in PAGES
] + [Question(id="none", text="What does a zyzzyva eat?", kind="unanswerable")]
CONFIG: dict[str, Any] = {
    "questions": "birds",
    "policies": ["scripted"],
    "settings": {"blocked_domains": ("reddit.com",)},
    "versions": {"a": 1},
}


class Quoting:
    """A policy that searches, opens the first hit, quotes its last sentence and answers with it; it counts its prompts."""

    def __init__(self, name: str = "quoting", stop_after: int | None = None) -> None:
        self.name = name
        self.begun: list[str] = []
        self._left = stop_after

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        return [Completion(self._act(prompt)) for prompt in prompts]

    def _act(self, prompt: Prompt) -> str:
        state = prompt.state
        if state.phase == "answering":
            if self._left is not None:
                if not self._left:
                    raise KeyboardInterrupt
                self._left -= 1
            return f"{state.references[0].extract} [1]"
        if not state.past_actions:
            self.begun.append(state.question.id)
            return f"Search {state.question.text.split()[3]}"
        if state.page.kind == "results" and not state.page.links:
            return "End: Nonsense"
        commands = ["Clicked on link 0", f"Quote: {state.page.text.rpartition(chr(10))[2]}", "End: Answer"]
        return commands[min(state.actions_taken - 1, 2)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


def run(
    folder: Path, policy: Any, questions: Sequence[Question] = QUESTIONS, config: dict[str, Any] = CONFIG, batch_size: int = 2
) -> str:
    with Benchmark.open(folder, questions, config) as benchmark:
        benchmark.run(policy, FakeBackend(PAGES), Settings(max_actions=12), batch_size=batch_size)
        return benchmark.score([policy.name], Lexical())


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_benchmark_is_a_folder(folder: Path) -> None:
    table = run(folder, Quoting())
    assert json.loads((folder / "config.json").read_text()) == json.loads(json.dumps(CONFIG))
    assert list(read_records(folder / "questions.jsonl", Question)) == QUESTIONS
    episodes = list(read_records(folder / "episodes" / "quoting.jsonl", Episode))
    assert {episode.question.id for episode in episodes} == {question.id for question in QUESTIONS}
    results = lines(folder / "results.jsonl")
    assert [(row["question"], row["policy"], row["kind"], row["failure"]) for row in results] == [
        (question.id, "quoting", question.kind, None) for question in QUESTIONS
    ]
    assert [row["correct"] for row in results] == [1, 1, 1, 1, 1]
    assert list(results[0])[4:] == [metric.name for metric in METRICS]
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["policies"]["quoting"]["correct"] == {"mean": 1, "low": 1, "high": 1, "n": 5}
    assert summary["policies"]["quoting"]["evidence_cited"]["n"] == 4
    assert "| correct, % | 5 | 100.0 [100.0, 100.0] |" in table


def test_every_page_that_a_reference_points_at_is_kept_once(folder: Path) -> None:
    config: dict[str, Any] = CONFIG | {"policies": ["quoting", "again"]}
    for policy in (Quoting(), Quoting("again")):
        with Benchmark.open(folder, QUESTIONS, config) as benchmark:
            benchmark.run(policy, FakeBackend(PAGES), Settings())
    pages = lines(folder / "pages.jsonl")
    assert sorted(page["url"] for page in pages) == sorted(page.url for page in PAGES)
    by_digest = {page["digest"]: page for page in pages}
    for name in ("quoting", "again"):
        for episode in read_records(folder / "episodes" / f"{name}.jsonl", Episode):
            for reference in episode.references:
                page = by_digest[reference.page]
                assert page["text"][reference.start : reference.end] == reference.extract
                assert page["title"] == reference.title


@pytest.mark.parametrize("stop_after", range(4))
def test_an_interrupted_benchmark_continues_where_it_stopped(folder: Path, tmp_path: Path, stop_after: int) -> None:
    whole = run(tmp_path / "whole", Quoting())
    stopped = Quoting(stop_after=stop_after)
    with pytest.raises(KeyboardInterrupt):
        run(folder, stopped, batch_size=1)
    done = (
        {episode.question.id for episode in read_records(folder / "episodes" / "quoting.jsonl", Episode)}
        if stop_after
        else set()
    )
    again = Quoting()
    assert run(folder, again) == whole
    assert done.isdisjoint(again.begun)
    assert {*done, *again.begun} == {question.id for question in QUESTIONS}
    ids = [episode.question.id for episode in read_records(folder / "episodes" / "quoting.jsonl", Episode)]
    assert sorted(ids) == sorted(question.id for question in QUESTIONS)


def test_a_finished_benchmark_is_only_measured_again(folder: Path) -> None:
    first = run(folder, Quoting())
    again = Quoting()
    assert run(folder, again) == first
    assert again.begun == []


def test_incomplete_lines_are_dropped_and_their_episodes_run_again(folder: Path) -> None:
    whole = run(folder, Quoting())
    for name in ("episodes/quoting.jsonl", "pages.jsonl"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:-40])
    again = Quoting()
    assert run(folder, again) == whole
    assert len(again.begun) == 1
    assert all(len(page) == 4 for page in lines(folder / "pages.jsonl"))
    assert len(list(read_records(folder / "episodes" / "quoting.jsonl", Episode))) == 5


def test_progress_includes_episodes_of_earlier_runs(folder: Path) -> None:
    told: list[tuple[str, bool | None]] = []
    for _ in range(2):
        with Benchmark.open(folder, QUESTIONS, CONFIG) as benchmark:
            benchmark.run(
                Quoting(), FakeBackend(PAGES), Settings(), on_episode=lambda name, correct: told.append((name, correct))
            )
    assert told == [("quoting", True)] * 10


def test_policies_without_a_model_can_be_measured(folder: Path) -> None:
    config: dict[str, Any] = CONFIG | {"policies": ["scripted", "search-only"]}
    with Benchmark.open(folder, QUESTIONS, config) as benchmark:
        for policy in (Scripted(), SearchOnly()):
            benchmark.run(policy, FakeBackend(PAGES), Settings())
        table = benchmark.score(["scripted", "search-only"], Lexical())
    assert table.startswith("|  | n | scripted | search-only | scripted − search-only |\n| --- | ---: | ---: | ---: | ---: |\n")


OTHER_CONFIG: list[tuple[str, dict[str, Any], str]] = [
    ("value", {"questions": "fish"}, 'questions ("birds" before, "fish" now)'),
    ("missing-key", {"limit": 3}, "limit (null before, 3 now)"),
    ("nested", {"settings": {}}, 'settings ({"blocked_domains": ["reddit.com"]} before, {} now)'),
    ("two-keys", {"questions": "fish", "seed": 1}, 'questions ("birds" before, "fish" now), seed (null before, 1 now)'),
]


@pytest.mark.parametrize(("change", "told"), [case[1:] for case in OTHER_CONFIG], ids=[case[0] for case in OTHER_CONFIG])
def test_another_configuration_is_refused_by_its_keys(folder: Path, change: dict[str, Any], told: str) -> None:
    run(folder, Quoting())
    before = (folder / "config.json").read_bytes()
    with pytest.raises(UsageError) as caught:
        run(folder, Quoting(), config=CONFIG | change)
    assert told in str(caught.value)
    assert (folder / "config.json").read_bytes() == before


def test_versions_and_judges_may_change(folder: Path) -> None:
    run(folder, Quoting())
    run(folder, Quoting(), config=CONFIG | {"versions": {"a": 2}, "judge": "hf:nli", "batch_size": 3})
    assert json.loads((folder / "config.json").read_text())["judge"] == "hf:nli"


def test_a_folder_with_other_files_is_left_unchanged(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match=r"contains thesis\.tex and is not a benchmark"):
        run(folder, Quoting())
    assert [file.name for file in folder.iterdir()] == ["thesis.tex"]


def test_a_benchmark_killed_before_writing_its_configuration_starts_over(folder: Path) -> None:
    folder.mkdir()
    (folder / "questions.jsonl").write_text("half a li")
    (folder / ".questions.jsonl.unfinished").write_text("half")
    run(folder, Quoting())
    assert list(read_records(folder / "questions.jsonl", Question)) == QUESTIONS


@pytest.mark.parametrize(
    ("name", "content"), [("config.json", "{"), ("pages.jsonl", "{}\n"), ("episodes/quoting.jsonl", "{}\n")]
)
def test_a_damaged_folder_is_named(folder: Path, name: str, content: str) -> None:
    run(folder, Quoting())
    (folder / name).write_text(content)
    with pytest.raises(RecordError, match=name.replace(".", r"\.")):
        run(folder, Quoting())


def test_a_folder_is_used_by_one_process_at_a_time(folder: Path) -> None:
    with Benchmark.open(folder, QUESTIONS, CONFIG), pytest.raises(UsageError, match="another program is at work"):
        run(folder, Quoting())
    run(folder, Quoting())


# -------------------------------------------------------------------------------------------------- questions and names


def numbered(number: int) -> list[Question]:
    return [Question(id=str(index), text="?") for index in range(number)]


@given(st.integers(1, 40), st.integers(1, 50), st.integers(1, 50), st.integers(0, 3))
def test_a_smaller_sample_is_part_of_a_larger_one(number: int, few: int, more: int, seed: int) -> None:
    questions = numbered(number)
    few, more = sorted((few, more))
    small, large = choose(questions, few, seed), choose(questions, more, seed)
    assert len(small) == min(few, number)
    assert {question.id for question in small} <= {question.id for question in large}
    assert large == [question for question in questions if question in large]
    assert choose(questions, None, seed) == questions


def test_a_sample_is_random() -> None:
    questions = numbered(1000)
    first, second = ({question.id for question in choose(questions, 100, seed)} for seed in (0, 1))
    assert 0 < len(first & second) < 30
    assert 30 < sum(int(name) < 500 for name in first) < 70


def test_an_empty_set_and_a_repeated_id_are_refused() -> None:
    with pytest.raises(UsageError, match="the question set has no questions"):
        choose([], None, 0)
    with pytest.raises(UsageError, match="two questions have the id '1'"):
        choose([*numbered(3), Question(id="1", text="other")], None, 0)


def test_the_digest_covers_all_fields_and_the_order_of_questions() -> None:
    changed = [QUESTIONS[0], replace(QUESTIONS[1], answers=("mouse",)), *QUESTIONS[2:]]
    assert len({digest(QUESTIONS), digest(changed), digest(QUESTIONS[1:]), digest(QUESTIONS[::-1])}) == 4


@pytest.mark.parametrize(
    ("name", "stem"),
    [("scripted", "scripted"), ("search-only", "search-only"), ("openai:gpt/4 o", "openai-gpt-4-o"), ("hf:a_b.c", "hf-a_b.c")],
)
def test_a_policy_has_a_file_of_its_name(name: str, stem: str) -> None:
    assert file_stem(name) == stem


# -------------------------------------------------------------------------------------------------------------- summary


def rows(**columns: Sequence[float | None]) -> list[Row]:
    number = len(next(iter(columns.values())))
    empty: Row = {metric.name: None for metric in METRICS}
    return [empty | {name: column[index] for name, column in columns.items()} for index in range(number)]


FIRST, SECOND = [1.0, 1.0, 0.0, 1.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]


def test_a_summary_has_means_differences_and_preferences() -> None:
    summary = summarize({"a": rows(correct=FIRST), "b": rows(correct=SECOND)}, [None] * 6)
    assert summary.policies == {"a": {"correct": estimate(FIRST)}, "b": {"correct": estimate(SECOND)}}
    apart = [one - other for one, other in zip(FIRST, SECOND, strict=True)]
    assert summary.differences == {("a", "b"): {"correct": estimate(apart)}}
    assert summary.preferences == {("a", "b"): {"correct": estimate([1.0, 0.5, 0.5, 1.0, 0.5, 0.5])}}


def test_swapping_the_policies_flips_differences_and_preferences() -> None:
    first, second = rows(correct=FIRST, seconds=[1.0, 2, 3, 4, 5, 6]), rows(correct=SECOND, seconds=[3.0, 3, 3, 3, 3, 3])
    forth = summarize({"a": first, "b": second}, [None] * 6)
    back = summarize({"b": second, "a": first}, [None] * 6)
    for metric, found in forth.differences["a", "b"].items():
        other = back.differences["b", "a"][metric]
        assert (found.mean, found.low, found.high, found.n) == (-other.mean, -other.high, -other.low, other.n)
    for metric, found in forth.preferences["a", "b"].items():
        other = back.preferences["b", "a"][metric]
        assert (found.mean, found.low, found.high) == pytest.approx((1 - other.mean, 1 - other.high, 1 - other.low))
    assert list(forth.preferences["a", "b"]) == ["correct"]  # seconds prefer nobody


def test_a_mean_is_over_the_questions_that_the_metric_applies_to() -> None:
    first = rows(correct=FIRST, f1=[None, 0.5, None, 1.0, None, None], tokens=[None] * 6)
    second = rows(correct=SECOND, f1=[None, 0.25, 0.5, None, None, None], tokens=[1.0] * 6)
    summary = summarize({"a": first, "b": second}, ["x", "y", "x", "y", "x", None])
    assert (summary.policies["a"]["f1"].n, summary.policies["a"]["f1"].mean) == (2, 0.75)
    assert (summary.differences["a", "b"]["f1"].n, summary.differences["a", "b"]["f1"].mean) == (1, 0.25)
    assert "tokens" not in summary.policies["a"]
    assert "tokens" not in summary.differences["a", "b"]
    assert summary.policies["a"]["correct (x)"] == estimate([1.0, 0.0, 0.0])
    assert summary.policies["a"]["correct (y)"].n == 2


def test_the_table_is_markdown_with_n_and_intervals() -> None:
    first, second = (
        rows(correct=FIRST, references=[1.0] * 6, seconds=FIRST),
        rows(correct=SECOND, references=[3.0] * 6, seconds=FIRST),
    )
    kinds = ["which", "which", "pair", "pair", "pair", None]
    table = markdown_table(summarize({"a|b": first, "c": second}, kinds), kinds)
    assert table.splitlines() == [
        r"|  | n | a\|b | c | a\|b − c |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| correct, % | 6 | 66.7 [33.3, 100.0] | 33.3 [0.0, 66.7] | +33.3 [+0.0, +66.7] |",
        "| correct (pair), % | 3 | 33.3 [0.0, 100.0] | 0.0 [0.0, 0.0] | +33.3 [+0.0, +100.0] |",
        "| correct (which), % | 2 | 100.0 [100.0, 100.0] | 50.0 [0.0, 100.0] | +50.0 [+0.0, +100.0] |",
        "| references | 6 | 1.00 [1.00, 1.00] | 3.00 [3.00, 3.00] | -2.00 [-2.00, -2.00] |",
    ]


def test_the_table_shows_every_n_and_what_is_missing() -> None:
    first, second = rows(correct=FIRST, tokens=[None] * 6), rows(correct=SECOND, tokens=[None, 1.0, 1, 1, 1, 1])
    summary = summarize({"a": first, "b": second, "c": rows(correct=FIRST, tokens=[2.0] * 6)}, [None] * 6)
    lines = markdown_table(summary, [None] * 6).splitlines()
    assert lines[0] == "|  | n | a | b | c | a − b | a − c |"
    assert lines[-1] == "| tokens written in all | 5–6 | – | 1.00 [1.00, 1.00] | 2.00 [2.00, 2.00] | – | – |"


def test_many_kinds_are_only_in_the_summary() -> None:
    kinds = [str(number) for number in range(13)]
    summary = summarize({"a": rows(correct=[1.0] * 13)}, kinds)
    assert len(summary.policies["a"]) == 14
    assert len(markdown_table(summary, kinds).splitlines()) == 3


def test_a_summary_is_json(folder: Path) -> None:
    summary = summarize({"a": rows(correct=FIRST), "b": rows(correct=SECOND)}, [None] * 6)
    kept = json.loads(json.dumps(summary.as_json(), allow_nan=False))
    assert kept["differences"]["a − b"]["correct"] == asdict(summary.differences["a", "b"]["correct"])
    assert list(kept["preferences"]) == ["a preferred to b"]
