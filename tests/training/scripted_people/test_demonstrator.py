"""The scripted demonstrator on real documentation: its actions can be told from the observations."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from agent.evaluation.metrics import final_answer, is_correct
from agent.models.shipped import SMALL_FOLDER
from agent.question_sets.pydoc.questions import PythonDocsQuestions
from agent.rollouts.rollout import rollout
from browser_env.actions import Click, Find, Quote, Search, parse_action
from browser_env.backends import FakeBackend, SearchHit
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources.python_docs import PythonDocs
from browser_env.pages.matching import normal_form
from browser_env.pages.page import Page
from browser_env.pages.words import words
from browser_env.records import Episode, Evidence, Question, Settings, Step
from training.behavior_cloning.data import StepSource
from training.behavior_cloning.mistakes import mistakes
from training.scripted_people.clues import asked_topics, phrases
from training.scripted_people.demonstrations import demonstrations
from training.scripted_people.demonstrator import Demonstrator, can_demonstrate, is_demonstration, write_answer

SMALL = Settings(view_width=80, view_height=12, max_actions=30)
MODULES = ("bz2", "collections", "gzip", "json", "math", "shutil", "textwrap")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("library") / "python.sqlite"
    build(path, PythonDocs(modules=MODULES))
    return path


@pytest.fixture(scope="module")
def web(library: Path) -> Iterator[Collection]:
    with Collection.open(library) as web:
        yield web


@pytest.fixture(scope="module")
def questions(web: Collection) -> tuple[Question, ...]:
    return PythonDocsQuestions(web).questions()


def run(web: Collection, questions: tuple[Question, ...], noise: float, seed: int = 0) -> dict[str, Episode]:
    episodes = rollout(Demonstrator(noise, seed), web, questions, SMALL, batch_size=32, threads=1)
    return {episode.question.id: episode for episode in episodes}


@pytest.fixture(scope="module")
def clean(web: Collection, questions: tuple[Question, ...]) -> dict[str, Episode]:
    return run(web, questions, 0)


@pytest.fixture(scope="module")
def noisy(web: Collection, questions: tuple[Question, ...]) -> dict[str, Episode]:
    return run(web, questions, 0.6)


@pytest.mark.parametrize("noise", ["clean", "noisy"])
@pytest.mark.parametrize("kind", ["describe", "which", "condition", "pair", "unanswerable"])
def test_nearly_all_questions_of_each_kind_are_answered_correctly(
    kind: str, noise: str, request: pytest.FixtureRequest
) -> None:
    episodes: dict[str, Episode] = request.getfixturevalue(noise)
    of_kind = [episode for episode in episodes.values() if episode.question.kind == kind]
    wrong = [episode.question.text for episode in of_kind if not is_demonstration(episode)]
    assert len(of_kind) >= 3
    assert len(wrong) <= 0.04 * len(of_kind), wrong


def test_demonstrations_without_noise_are_short_and_have_no_mistakes(clean: dict[str, Episode]) -> None:
    lengths = [len(episode.steps) for episode in clean.values() if episode.question.kind != "pair"]
    assert sum(lengths) / len(lengths) < 8
    assert all(episode.actor == "script" and not mistakes(episode) for episode in clean.values())


def test_no_command_is_invalid(clean: dict[str, Episode], noisy: dict[str, Episode]) -> None:
    assert not [s.completion for episodes in (clean, noisy) for e in episodes.values() for s in e.steps if s.problem]


def view(step: Step) -> str:
    return step.observation.partition("♦Text\n")[2].partition("\n\n♦Actions left")[0]


@pytest.mark.parametrize("noise", ["clean", "noisy"])
def test_every_action_follows_from_the_observation(noise: str, request: pytest.FixtureRequest) -> None:
    episodes: dict[str, Episode] = request.getfixturevalue(noise)
    for episode in filter(is_demonstration, episodes.values()):
        asked = set(words(episode.question.text))
        for step in episode.steps[:-1]:
            match parse_action(step.completion):
                case Search(query):
                    assert set(words(query)) <= asked | {"builtins"}
                case Find(text):
                    assert set(words(text)) <= asked | {"class", "functions"}
                case Click(link):
                    assert f"【{link}†" in view(step)
                case Quote(text):
                    shown = normal_form(plain(view(step)))
                    assert all(normal_form(end) in shown for end in text.split("━"))


def plain(text: str) -> str:
    """A view with each link replaced by its text."""
    parts = text.split("【")
    return parts[0] + "".join(part.partition("†")[2].replace("】", "", 1) for part in parts[1:])


def test_demonstrations_with_noise_make_mistakes_and_recover(clean: dict[str, Episode], noisy: dict[str, Episode]) -> None:
    wrong = [episode for episode in noisy.values() if mistakes(episode)]
    assert len(wrong) > len(noisy) / 5
    assert all(is_demonstration(noisy[id]) == is_demonstration(episode) for id, episode in clean.items())


def test_demonstrations_depend_on_the_seed_only(web: Collection, questions: tuple[Question, ...]) -> None:
    def commands(seed: int) -> list[list[str]]:
        episodes = demonstrations(web, questions[:40], SMALL, noise=0.6, seed=seed)
        return sorted([step.completion for step in episode.steps] for episode in episodes)

    assert commands(1) == commands(1)
    assert commands(1) != commands(2)


def test_failed_demonstrations_are_left_out(web: Collection, questions: tuple[Question, ...]) -> None:
    lost = replace(questions[0], id="lost", kind="describe", evidence=(Evidence(url="http://a.org/", sentences=("Nowhere.",)),))
    unknown = Question(id="unknown", text="Why?")
    made = list(demonstrations(web, [lost, unknown, *questions[:30]], SMALL))
    assert len(made) >= 28
    assert all(is_correct(episode.question, final_answer(episode), episode.references) for episode in made)
    assert {"lost", "unknown"}.isdisjoint(episode.question.id for episode in made)


def test_long_quotes_are_abbreviated_and_keep_the_whole_sentence(web: Collection, questions: tuple[Question, ...]) -> None:
    short = [
        (episode, step.completion)
        for episode in demonstrations(web, questions[:60], SMALL, noise=0.0, max_quote_words=20)
        for step in episode.steps
        if step.completion.startswith("Quote: ") and "━" in step.completion
    ]
    assert len(short) >= 3
    for episode, command in short:
        start, _, end = command.removeprefix("Quote: ").partition("━")
        assert len(start.split()) >= 5
        assert len(end.split()) >= 5
        assert any(len(reference.extract.split()) > 16 for reference in episode.references)


def test_a_name_that_is_asked_for_is_in_the_quote_and_the_answer(clean: dict[str, Episode]) -> None:
    for episode in clean.values():
        if episode.question.kind == "which" and is_demonstration(episode):
            name, _, sentence = (episode.answer or "").partition(": ")
            assert name == episode.question.answers[0]
            assert sentence.endswith(" [1]")
            assert name in episode.references[0].extract


# --------------------------------------------------------------------------------------------------------------- small

PAGE = "http://a.org/shop"


def shop(text: str, kind: str = "describe", *sentences: str, **known: tuple[str, ...]) -> Question:
    evidence = (Evidence(url=PAGE, sentences=sentences),) if sentences else ()
    return Question(id=text, text=text, kind=kind, evidence=evidence, **known)  # type: ignore[arg-type]


def commands(question: Question, text: str, *others: Page, noise: float = 0, height: int = 12) -> list[str]:
    pages = [Page(PAGE, "shop", text), *others]
    hits = [SearchHit(page.url, page.title, "about it") for page in pages]
    queries = ("shop.sell", "shop sell", "shop what happens to unsold bread")
    backend = FakeBackend(pages, dict.fromkeys(queries, hits))
    settings = replace(SMALL, view_height=height)
    [episode] = rollout(Demonstrator(noise), backend, [question], settings)
    return [step.completion for step in episode.steps]


def test_a_sentence_in_view_is_quoted_without_a_find() -> None:
    question = shop("What does shop.sell do?", "describe", "Sell bread.")
    assert commands(question, "shop\n\nsell(it)\n    Sell bread.") == [
        "Search shop.sell",
        "Clicked on link 0",
        "Quote: sell(it) Sell bread.",
        "End: Answer",
        "Sell bread. [1]",
    ]


def test_a_sentence_below_a_long_definition_is_scrolled_to() -> None:
    page = "\n".join(["shop", *["stock"] * 40, "sell(it)", *["detail"] * 12, "    Sell bread.", *["more"] * 40])
    done = commands(shop("What does shop.sell do?", "describe", "Sell bread."), page)
    assert done[2:5] == ["Find in page: sell(", "Scrolled down 1", "Quote: Sell bread."]


def test_both_sentences_of_one_page_are_quoted() -> None:
    page = "shop\n\nsell(it)\n    Sell bread. It is fresh."
    done = commands(shop("What does shop.sell do?", "describe", "Sell bread.", "It is fresh."), page)
    assert done[2:] == [
        "Quote: sell(it) Sell bread.",
        "Quote: It is fresh.",
        "End: Answer",
        "Sell bread. [1] It is fresh. [2]",
    ]


def test_browsing_for_a_missing_name_ends_as_nonsense() -> None:
    question = shop("What does shop.fly do?", "unanswerable")
    backend = FakeBackend([Page(PAGE, "shop", "sell(it)\n    Sell bread.")], {"shop.fly": [SearchHit(PAGE, "shop", "bread")]})
    [episode] = rollout(Demonstrator(0), backend, [question], SMALL)
    assert [step.completion for step in episode.steps] == ["Search shop.fly", "End: Nonsense"]
    assert not mistakes(episode)


def test_questions_without_evidence_are_not_demonstrated() -> None:
    question = Question(id="1", text="Why?")
    assert not can_demonstrate(question)
    [episode] = rollout(Demonstrator(), FakeBackend([]), [question], SMALL)
    assert episode.failure == "PolicyError: question '1' has no gold evidence, and the demonstrator knows nothing else"


def step(command: str, past: str = "") -> Step:
    return Step(phase="browsing", observation=f"♦Past actions\n{past}\n\n♦Title\n", completion=command)


MISTAKES: dict[str, tuple[list[Step], set[int]]] = {
    "none": ([step("Search a"), step("Clicked on link 0"), step("Quote: x"), step("End: Answer")], set()),
    "a page that was left": (
        [step("Search a"), step("Clicked on link 1"), step("Find in page: x"), step("Back"), step("Clicked on link 0")],
        {1, 2},
    ),
    "a page that was left with a quote": (
        [step("Search a"), step("Clicked on link 1"), step("Quote: x"), step("Back"), step("Clicked on link 0")],
        set(),
    ),
    "a find of nothing": (
        [step("Find in page: x"), step("Find in page: y", "Find in page x (not found)"), step("Top", "Find in page y")],
        {0},
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_steps_that_found_nothing_or_were_undone(name: str) -> None:
    steps, wrong = MISTAKES[name]
    episode = Episode(
        id="1",
        question=Question(id="1", text="?", kind="describe"),
        settings=SMALL,
        actor="human:a",
        backend="b",
        steps=tuple(steps),
    )
    assert mistakes(episode) == wrong


def test_mistakes_can_be_left_out_of_training(noisy: dict[str, Episode]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(SMALL_FOLDER)
    episodes = [(episode, 1.0) for episode in noisy.values()]
    number = sum(len(mistakes(episode)) for episode in noisy.values())
    all_of_them = StepSource(episodes, tokenizer, context=None, name="small")
    without = StepSource(episodes, tokenizer, context=None, name="small", with_mistakes=False)
    assert len(all_of_them.lengths) - len(without.lengths) == number > 0


def test_an_answer_repeats_the_gold_sentences_with_their_citations(clean: dict[str, Episode]) -> None:
    episode = next(episode for episode in clean.values() if episode.question.kind == "pair" and len(episode.references) == 2)
    answer = write_answer(episode.question, episode.references)
    assert answer.endswith(" [2]")
    assert " [1] " in answer


PHRASES = {
    "after the verb": ("Which function returns the arc sine of z?", "Return the arc sine of z.", "the arc sine of z"),
    "an imperative": (
        "I want to copy the whole directory tree. How?",
        "Copy the whole directory tree.",
        "the whole directory tree",
    ),
    "in the spelling of the question": (
        "What does `f` do if Its Name is none?",
        "If its name is None, stop.",
        "Its Name is none",
    ),
    "nothing in common": ("Why?", "Copy it.", None),
}


@pytest.mark.parametrize("name", PHRASES)
def test_phrases_are_words_of_the_question(name: str) -> None:
    question, sentence, first = PHRASES[name]
    assert next(iter(phrases(question, sentence)), None) == first


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("What do aiter and cgi.print_form do?", ["aiter", "cgi.print_form"]),
        ("What does `repr` do, and what does `bz2.open` do?", ["repr", "bz2.open"]),
        ("What does shutil.copytree do?", ["shutil.copytree"]),
    ],
)
def test_a_question_about_two_names_has_two_topics(question: str, names: list[str]) -> None:
    assert [topic.name for topic in asked_topics(question)] == names
