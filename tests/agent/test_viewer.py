"""The viewer's folder: reading, derived data and written files. `tests/browser` opens the pages in Chromium."""

import json
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.viewer.episodes import judge, quoting_step, view_of
from agent.viewer.material import PageText, read_material
from agent.viewer.site import ASSETS, MAX_PAGE, page_view, script, write_site
from browser_env.errors import RecordError, UsageError
from browser_env.records import Ending, Episode, Question, Reference, Settings, Step
from browser_env.records.storage import append_record

ADDED = 'viewer.add("episodes/1",'


def step(completion: str, problem: str | None = None, command: str | None = None) -> Step:
    return Step(phase="browsing", observation="♦Question\n", completion=completion, problem=problem, command=command)


def reference(extract: str) -> Reference:
    return Reference(title="Crows", url="https://birds.example/", extract=extract, page="ab12", start=0, end=len(extract))


def episode(
    answer: str | None = None,
    references: Sequence[Reference] = (),
    ending: Ending | None = "answer",
    failure: str | None = None,
    actor: str = "careful",
    id: str = "q",
) -> Episode:
    steps = () if answer is None else (Step(phase="answering", observation="Why?◼", completion=answer),)
    return Episode(
        id="e1", question=Question(id=id, text="Why?"), settings=Settings(), actor=actor, backend="fake", steps=steps,
        references=tuple(references), ending=ending, failure=failure,
    )  # fmt: skip


def given_json(text: str) -> object:
    """The JSON value in a data script."""
    assert text.startswith(ADDED)
    assert text.endswith(");\n")
    return json.loads(text.removeprefix(ADDED)[: -len(");\n")])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_a_script_contains_its_value_and_no_text_that_ends_it(value: object) -> None:
    text = script("episodes/1", value)
    assert given_json(text) == value
    assert not set("<>&\u2028\u2029") & set(text)
    assert text.count("\n") == 1


def test_a_script_refuses_numbers_that_json_cannot_represent() -> None:
    with pytest.raises(ValueError, match="JSON"):
        script("episodes/1", float("nan"))


@given(
    st.lists(
        st.sampled_from(["Crows", "fly", "[1]", "[1, 7]", "[2021]", "`maps[0]`", ".", ". ", "\n\n", "- ", "🐦‍⬛", " "])
    ).map("".join)
)
def test_the_parts_of_an_answer_are_the_answer(answer: str) -> None:
    view = view_of(episode(answer, [reference("Crows fly.")]))
    assert "".join(part.text for segment in view.segments for part in segment.parts) == answer.strip()


def test_citations_are_cut_out_of_sentences() -> None:
    view = view_of(episode("Crows fly [1]. Nobody knows.", [reference("Crows fly.")]))
    first, gap, second = view.segments
    assert [(part.text, part.citations) for part in first.parts] == [("Crows fly ", ()), ("[1]", (1,)), (".", ())]
    assert (first.support, first.is_cited, gap.support, second.is_cited) == (1, True, None, False)
    assert view.is_supported


VERDICTS = {
    "right": (episode("Yes [1].", [reference("Yes.")]), 1.0, "correct", ()),
    "wrong": (episode("Yes [1].", [reference("Yes.")]), 0.0, "wrong", ("wrong",)),
    "nobody knows": (episode("Yes [1].", [reference("Yes.")]), None, "answered", ()),
    "unsupported": (episode("Yes.", [reference("Yes.")]), None, "answered", ("unsupported",)),
    "citation of nothing": (episode("Yes [2].", [reference("Yes.")]), None, "answered", ("unsupported",)),
    "budget": (episode("Yes [1].", [reference("Yes.")], "max_actions"), None, "answered", ("budget",)),
    "full": (episode("Yes [1].", [reference("Yes.")], "max_references"), None, "answered", ("budget",)),
    "nonsense": (episode(ending="nonsense"), None, "no answer", ("no answer",)),
    "silence that is right": (episode(ending="nonsense"), 1.0, "correct", ("no answer",)),
    "empty": (episode(" \n"), None, "no answer", ("no answer",)),
    "failed": (episode(ending=None, failure="gone"), 0.0, "failed", ("wrong", "no answer", "failed")),
}


@pytest.mark.parametrize(("given_episode", "correct", "verdict", "flags"), VERDICTS.values(), ids=VERDICTS.keys())
def test_the_verdict_and_the_filters_of_an_episode(
    given_episode: Episode, correct: float | None, verdict: str, flags: tuple[str, ...]
) -> None:
    assert judge(given_episode, correct) == (verdict, flags)


EXTRACT = "Crows bring gifts\n  to people who feed them."
QUOTES = {
    "whole": ([step("Search crows"), step(f"Quote: {' '.join(EXTRACT.split())}")], 1),
    "ends": ([step("Quote: crows bring gifts━feed them.")], 0),
    "look-alike": ([step("Quote: CROWS  bring gifts")], 0),
    "read out of more": ([step("I quote.", command="Quote: crows bring gifts")], 0),
    "invalid first": ([step("Quote: crows bring gifts", problem="not here"), step("Quote: to people")], 1),
    "cut by the budget": ([step(f"Quote: {EXTRACT} And sing.".replace("\n", " "))], 0),
    "another": ([step("Quote: ravens")], None),
    "none": ([step("Search crows")], None),
}


@pytest.mark.parametrize(("steps", "expected"), QUOTES.values(), ids=QUOTES.keys())
def test_the_step_that_quoted_a_reference_is_found(steps: list[Step], expected: int | None) -> None:
    assert quoting_step(reference(EXTRACT), tuple(steps)) == expected


def test_the_full_output_around_a_command_is_kept() -> None:
    steps = (step("I think.\nSearch crows", command="Search crows"), step("Search crows"))
    view = view_of(replace(episode(), steps=steps))
    assert [(found.command, found.completion) for found in view.steps] == [
        ("Search crows", "I think.\nSearch crows"), ("Search crows", None),
    ]  # fmt: skip


def page_text(text: str) -> PageText:
    return PageText(digest="ab12", url="https://birds.example/", title="Crows", text=text)


def test_a_page_is_kept_whole() -> None:
    (part,) = page_view(page_text("🐦 Crows"), [(2, 7)]).parts
    assert (part.start, part.text) == (0, "🐦 Crows")


@given(
    st.lists(
        st.tuples(st.integers(0, MAX_PAGE * 3), st.integers(0, 5_000)).map(lambda at: (at[0], at[0] + at[1])),
        min_size=1,
        max_size=40,
    )
)
def test_all_quoted_parts_of_a_long_page_are_kept_once(spans: list[tuple[int, int]]) -> None:
    text = "".join(map(chr, range(0x21, 0x2021))) * (MAX_PAGE // 2_000)
    view = page_view(page_text(text), spans)
    kept = [(part.start, part.start + len(part.text)) for part in view.parts]
    assert all(part.text == text[part.start : part.start + len(part.text)] for part in view.parts)
    assert all(any(start <= first and last <= end for start, end in kept) for first, last in spans)
    assert all(one[1] < other[0] for one, other in pairwise(kept))
    assert view.length == len(text)


def write_lines(path: Path, *rows: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")


def write_episodes(path: Path, *episodes: Episode) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    for each in episodes:
        append_record(path, each)
    return path


def overview(site: Path) -> dict[str, object]:
    text = (site / "overview.js").read_text("utf-8").removeprefix('viewer.add("overview",')
    found: dict[str, object] = json.loads(text.removesuffix(");\n"))
    return found


def test_the_page_its_script_and_its_style_are_part_of_the_package() -> None:
    assert all(files("agent.viewer").joinpath(name).is_file() for name in ASSETS)


def test_a_file_of_episodes_has_a_policy_for_each_actor_and_each_time(tmp_path: Path) -> None:
    file = write_episodes(tmp_path / "mine.jsonl", episode("Yes."), episode("No."), episode(actor="hasty"), episode(id="r"))
    assert write_site(read_material(file), tmp_path / "out") == tmp_path / "out" / "index.html"
    found = overview(tmp_path / "out")
    assert (found["title"], found["policies"]) == ("mine", ["careful", "careful (2)", "hasty"])
    written = sorted(path.name for path in (tmp_path / "out" / "episodes").iterdir())
    assert written == ["000000-0.js", "000000-1.js", "000000-2.js", "000001-0.js"]


def test_a_benchmark_without_results_is_shown_with_its_episodes(tmp_path: Path) -> None:
    write_episodes(tmp_path / "episodes" / "careful.jsonl", episode("Yes."))
    found = overview(write_site(read_material(tmp_path), tmp_path / "view").parent)
    assert (found["policies"], found["metrics"], found["title"]) == (["careful"], [], tmp_path.name)


def test_policies_are_in_the_order_of_the_configuration_under_their_names(tmp_path: Path) -> None:
    for stem in ("a", "hf-x-y", "b"):
        write_episodes(tmp_path / "episodes" / f"{stem}.jsonl", episode("Yes."))
    (tmp_path / "config.json").write_text(json.dumps({"policies": ["hf:x/y", "b", "not yet"], "versions": {"python": "3"}}))
    material = read_material(tmp_path)
    assert [name for name, _ in material.files] == ["hf:x/y", "b", "a"]
    assert ("versions.python", "3") in material.facts


def test_the_list_has_the_verdicts_and_numbers_of_the_results(tmp_path: Path) -> None:
    write_episodes(tmp_path / "episodes" / "careful.jsonl", episode("Yes."))
    row = {"question": "q", "policy": "careful", "kind": None, "failure": None, "correct": 0.0, "f1": 0.123456, "tokens": None}
    write_lines(tmp_path / "results.jsonl", row)
    figure = {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 9}
    summary = {"policies": {"careful": {"correct": figure, "f1": figure}}, "differences": {}, "preferences": {}}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    found = overview(write_site(read_material(tmp_path), tmp_path / "view").parent)
    metrics = found["metrics"]
    assert isinstance(metrics, list)
    assert [(metric["name"], metric["policies"]) for metric in metrics] == [("correct", [figure]), ("f1", [figure])]
    questions = found["questions"]
    assert isinstance(questions, list)
    assert questions[0]["episodes"][0]["numbers"] == [0, 0.1235]
    assert questions[0]["episodes"][0]["verdict"] == "wrong"


def test_pages_that_no_reference_points_at_are_left_out(tmp_path: Path) -> None:
    write_episodes(tmp_path / "episodes" / "careful.jsonl", episode("Yes [1].", [reference("Yes.")]))
    pages = [{"digest": digest, "url": "u", "title": "t", "text": "Yes."} for digest in ("ab12", "cd34", "../ab12")]
    write_lines(tmp_path / "pages.jsonl", *pages)
    site = write_site(read_material(tmp_path), tmp_path / "view").parent
    assert overview(site)["pages"] == ["ab12"]
    assert [path.name for path in (site / "pages").iterdir()] == ["ab12.js"]


def test_writing_again_removes_old_episodes(tmp_path: Path) -> None:
    both = write_episodes(tmp_path / "both.jsonl", episode("Yes."), episode(id="r"))
    one = write_episodes(tmp_path / "one.jsonl", episode("Yes."))
    write_site(read_material(both), tmp_path / "out")
    write_site(read_material(one), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / "episodes").iterdir()] == ["000000-0.js"]


def test_a_folder_with_other_files_is_not_overwritten(tmp_path: Path) -> None:
    file = write_episodes(tmp_path / "mine.jsonl", episode("Yes."))
    (tmp_path / "episodes").mkdir()
    (tmp_path / "episodes" / "careful.jsonl").write_text("")
    with pytest.raises(UsageError, match=r"contains mine\.jsonl"):
        write_site(read_material(file), tmp_path)
    assert (tmp_path / "episodes" / "careful.jsonl").exists()


MISTAKES = {
    "nothing": (None, None, UsageError, "does not exist"),
    "no benchmark": ("notes.txt", "", UsageError, r"has no episodes/\*\.jsonl"),
    "torn result": ("results.jsonl", '{"question": "q"}\n', RecordError, r"results\.jsonl:1: is not a Result: Field required"),
    "broken page": ("pages.jsonl", "{}\n{", RecordError, r"pages\.jsonl:1: is not a PageText"),
    "broken summary": ("summary.json", '{"policies": 3}', RecordError, r"summary\.json: is not a Summary: policies"),
    "broken configuration": ("config.json", "{", RecordError, r"config\.json: is not a Config: Invalid JSON"),
}


@pytest.mark.parametrize(("name", "content", "error", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_unreadable_material_is_an_error(
    tmp_path: Path, name: str | None, content: str | None, error: type[Exception], message: str
) -> None:
    folder = tmp_path / "bench"
    if name is not None and content is not None:
        folder.mkdir()
        (folder / name).write_text(content)
        if name != "notes.txt":
            write_episodes(folder / "episodes" / "careful.jsonl", episode("Yes [1].", [reference("Yes.")]))
    with pytest.raises(error, match=message):
        write_site(read_material(folder), tmp_path / "out")


def test_an_incomplete_last_line_is_ignored(tmp_path: Path) -> None:
    write_episodes(tmp_path / "episodes" / "careful.jsonl", episode("Yes."))
    (tmp_path / "pages.jsonl").write_text('{"digest": "ab12", "url"')
    write_site(read_material(tmp_path), tmp_path / "view")
