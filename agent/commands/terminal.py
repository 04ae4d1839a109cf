"""Display of an episode in a terminal: each step as it happens, then the answer with its citations and references.

The same text goes to terminals and files; rich leaves out the styles where they cannot be shown. Text of models and pages is
printed as plain text, without markup or escape sequences.
"""

import re
import textwrap
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from agent.rollouts.rollout import StepEvent
from browser_env.actions import first_line
from browser_env.observation import scrollbar
from browser_env.pages.layout import wrap_text
from browser_env.records import Episode, Reference, Settings
from browser_env.records.citations import LOW_SUPPORT, CitationCheck
from browser_env.state import BrowserState

MAX_SHOWN = 2_000
"""Number of characters of a command that are shown; models have written 10 MB."""
MAX_WIDTH = 100
"""Maximum width of an extract in columns; longer lines are hard to read."""
WRAPPED_AT = 60
"""A line of an extract counts as wrapped prose if the next line's first word would make it longer than this, in characters."""

_CITATION = r"\[\s*\d{1,3}(?:\s*[-–,;]\s*\d{1,3})*\s*\]"
_OWN_LINE = re.compile(r"\s*(?:>>>|\.\.\. |[-*•|] |\d+[.)] )")


def one_line(text: str) -> str:
    """Text on one line, with control characters replaced by spaces."""
    return " ".join("".join(character if character.isprintable() else " " for character in text[:MAX_SHOWN]).split())


class StepView:
    """Shows each step as it happens: the command, its effect, and the quotes that it added.

    With several samples, only their number of steps is shown at first, and then the steps of the chosen sample.
    """

    def __init__(self, console: Console, settings: Settings, *, samples: int = 1) -> None:
        self._console = console
        self._samples = samples
        self._events: list[StepEvent] = []
        self._is_live = console.is_terminal
        self._max_actions = settings.max_actions
        self._references: tuple[Reference, ...] = ()
        self._status = console.status("")

    def __enter__(self) -> Self:
        self._wait(1)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._status.stop()

    def __call__(self, event: StepEvent) -> None:
        if self._samples > 1:
            self._events.append(event)
            self._show_status(f"{self._samples} samples, {len(self._events)} actions")
        else:
            self._show(event)

    def chosen(self, episode: Episode) -> None:
        """Show the steps of the chosen sample, if there are several."""
        for event in self._events:
            if event.seed == episode.seed:
                self._show(event)

    def _show(self, event: StepEvent) -> None:
        if event.step.phase == "browsing":
            for line in self._lines(event):
                self._print(line)
            self._wait(event.index + 2, is_answering=event.state.phase == "answering")
        self._references = event.state.references

    def _print(self, line: Text) -> None:
        if self._is_live:  # one row per step, however long
            self._console.print(line, no_wrap=True, overflow="ellipsis")
        else:
            self._console.print(line, soft_wrap=True)

    def _wait(self, action: int, *, is_answering: bool = False) -> None:
        self._show_status("writing the answer" if is_answering else f"action {action} of at most {self._max_actions}")

    def _show_status(self, doing: str) -> None:
        if self._is_live:
            self._status.update(Text(doing, "dim"))
            self._status.start()

    def _lines(self, event: StepEvent) -> Iterator[Text]:
        command = first_line(event.step.completion if event.step.command is None else event.step.command)
        yield Text.assemble((f"{event.index + 1:>3}  ", "dim"), (one_line(command) or "(nothing)", "bold"))
        if event.step.problem:
            yield _indented(f"! {one_line(event.step.problem)}", "yellow")
        collected = [pair for pair in enumerate(event.state.references, start=1) if pair[1] not in self._references]
        for number, reference in collected:
            yield _indented(f"+ [{number}] {reference.full_title}: {one_line(reference.extract)}", "green")
        if not event.step.problem and not collected and event.state.ending is None:
            yield _indented(_place(event.state), "dim")
        if event.info.note:
            yield _indented(f"! {event.info.note}", "yellow")


def _indented(text: str, style: str) -> Text:
    return Text(f"     {text}", style)


def _place(state: BrowserState) -> str:
    first, last = scrollbar(state)
    return f"{state.page.full_title or 'no page'} · {first}-{last} %"


def print_answer(console: Console, answer: str, check: CitationCheck, references: tuple[Reference, ...]) -> None:
    """Print an answer and, below it, each reference with its title, URL and extract.

    Args:
        console: Output; a terminal shows the support of each cited sentence behind it, other outputs below the answer.
        answer: The answer, without control characters.
        check: The citation check of this answer.
        references: The references that the citations number.
    """
    if not check.is_supported:
        console.print(
            Text(" UNSUPPORTED: no sentence of this answer cites a reference. Treat it as a guess. ", "bold reverse red")
        )
        console.print()
    console.print(_answer_text(answer, check) if console.is_terminal else Text(answer), soft_wrap=not console.is_terminal)
    for number in check.unknown:
        console.print(Text(f"! [{number}] does not exist: there {_count(len(references))}", "bold red"))
    if check.is_supported and not console.is_terminal:
        scores = ", ".join(f"{sentence.support:.0%}" if sentence.citations else "none" for sentence in check.sentences)
        console.print(f"\nSupport of each sentence by what it cites: {scores}", soft_wrap=True)
    for number, reference in enumerate(references, start=1):
        console.print()
        unused = "" if number in check.citations else "  (not cited)"
        console.print(Text.assemble((f"[{number}] ", "cyan"), (reference.full_title, "bold"), (unused, "dim")), soft_wrap=True)
        console.print(Text(f"    {reference.url}", "dim"), soft_wrap=True)
        for line in reflow(reference.extract, min(console.width, MAX_WIDTH) - 6):
            console.print(Text(f"    | {line}".rstrip()), soft_wrap=True)


def _answer_text(answer: str, check: CitationCheck) -> Text:
    text = Text(answer)
    text.highlight_regex(_CITATION, "cyan")
    for number in check.unknown:
        text.highlight_regex(rf"\[[^\]]*\b{number}\b[^\]]*\]", "bold red")
    parts, last = [], 0
    for sentence in check.sentences:
        parts.append(text[last : sentence.end])
        last = sentence.end
        if sentence.citations:
            parts.append(Text(f" {sentence.support:.0%}", "yellow" if sentence.support < LOW_SUPPORT else "dim"))
    return Text.assemble(*parts, text[last:])


def _count(references: int) -> str:
    return {0: "is no reference", 1: "is one reference"}.get(references, f"are {references} references")


def reflow(extract: str, width: int) -> Iterator[str]:
    """The lines of an extract, with wrapped prose wrapped again to a width; code, lists and empty lines are kept."""
    paragraphs: list[str] = []
    first, _, rest = extract.strip().partition("\n")
    last = ""
    for line in (first, *textwrap.dedent(rest).split("\n")) if rest else (first,):
        word = line.split(maxsplit=1)[:1]
        was_wrapped = word and last.strip() and len(last) + 1 + len(word[0]) > WRAPPED_AT
        # The first line has lost its indentation; if it ends like a definition, it does not continue.
        is_same = not last.endswith((")", ":")) if len(paragraphs) == 1 else _indentation(last) == _indentation(line)
        if was_wrapped and is_same and not _OWN_LINE.match(line):
            paragraphs[-1] += f" {line.strip()}"
        else:
            paragraphs.append(line)
        last = line
    for paragraph in paragraphs:
        indentation = paragraph[: _indentation(paragraph)]
        yield from (f"{indentation}{line}" for line in wrap_text(paragraph.strip(), max(20, width - len(indentation))) or [""])


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def explain_ending(episode: Episode) -> str:
    """The reason why an episode has no answer, in one sentence."""
    if episode.failure is not None:
        return f"No answer: {episode.failure}"
    if episode.answer is not None:
        return "No answer: the policy wrote nothing."
    match episode.ending:
        case "answer":
            return "No answer: browsing ended before anything was quoted."
        case "nonsense":
            return "No answer: the policy found nothing that answers the question, or judged it nonsense."
        case "controversial":
            return "No answer: the policy judged the question too controversial to answer."
        case "max_actions":
            return f"No answer: nothing was quoted within {episode.settings.max_actions} actions (--max-actions)."
        case "max_references":
            return "No answer: --max-reference-tokens is too small for a single quote."
        case None:
            return "No answer: browsing did not end."
