"""`webgpt browse`: the text browser for a person at a prompt, who sees exactly what a policy sees.

The person is a policy: the rollout shows them the observation and carries out what they type, so what is saved is an episode
like any other, and the observations on stdout are those that a model would be given, byte for byte.
"""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from platformdirs import user_state_path
from rich.console import Console
from rich.table import Table
from rich.text import Text
from tyro.conf import Positional, arg

from agent.commands.one_episode import check_writable, read_question, run_episode
from agent.commands.terminal import one_line, print_answer
from agent.policy import Completion, Prompt
from agent.rollouts.rollout import StepEvent
from browser_env.command_line.web_options import WebOptions
from browser_env.errors import PolicyError, UsageError, WebGPTError
from browser_env.observation import observe
from browser_env.pages.characters import clean
from browser_env.records import Settings
from browser_env.records.citations import check_citations
from browser_env.state import BrowserState

COMMANDS = (
    ("Search <query>", "s", "show search results"),
    ("Clicked on link <id>", "c", "follow the link 【id†text】"),
    ("Find in page: <text>", "f", "go to the next occurrence of a text"),
    ("Quote: <text>", "q", "keep a text of this page as a reference; long ones as start━end"),
    ("Scrolled down <1, 2, 3>", "d", "move down by so many views"),
    ("Scrolled up <1, 2, 3>", "u", "move up by so many views"),
    ("Top", "t", "go to the top of the page"),
    ("Back", "b", "go to the page before this one"),
    ("End: Answer", "a", "stop browsing and write the answer from the quotes"),
    ("End: <Nonsense, Controversial>", "", "stop browsing without an answer"),
)
"""The commands of Table 1, a letter that stands for each at this prompt, and what they do."""
LETTERS = {letter: command for command, letter, _ in COMMANDS if letter}
HISTORY = 1_000
"""Lines of the prompt that are remembered from one time to the next."""


@dataclass(frozen=True, slots=True)
class Browse:
    """Browse at a prompt: exactly what a policy sees, one command a line.

    Type `help` for the ten commands and their short forms, `quit` or Ctrl-D to leave. Lines can also come from a pipe; then
    stdout holds the observations and nothing else.
    """

    question: Annotated[tuple[str, ...], Positional, arg(metavar="QUESTION")] = ("Just looking around",)
    """What to look for; it stands at the top of every observation."""
    save: Annotated[Path | None, arg(metavar="FILE")] = None
    """Add what was done to this file of JSON Lines, as an episode."""
    name: str = "anonymous"
    """Who is browsing, for the record."""
    web: Annotated[WebOptions, arg(name="")] = field(default_factory=WebOptions)
    """Which web is browsed."""
    settings: Annotated[Settings, arg(name="")] = field(default_factory=Settings)
    """What is shown and how much may be done."""

    def run(self) -> int:
        """Browse until the end of the episode or of the input."""
        if self.question == ("-",):
            raise UsageError("the commands come from standard input, so the question cannot; give it as an argument")
        question = read_question(self.question)
        check_writable(self.save)
        person = Person(self.name)
        with self.web.open() as web, _history():
            person.show(observe(BrowserState(question, self.settings)))
            episode = run_episode(person, web, question, self.settings, seed=0, save=self.save, on_step=person.hear)
        if episode.failure and not person.has_left:
            raise WebGPTError(f"browsing failed: {episode.failure}")
        if episode.answer is not None and person.is_at_terminal:
            answer = clean(episode.answer)
            print_answer(Console(highlight=False), answer, check_citations(answer, episode.references), episode.references)
        return 0


class Person:
    """A policy that is somebody at a prompt."""

    def __init__(self, name: str) -> None:
        self.name = f"human:{name}"
        self.is_at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        self._out = Console(highlight=False)
        self._talk = Console(stderr=True, highlight=False)
        self.has_left = False

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        return [self._act(prompt) for prompt in prompts]

    def hear(self, event: StepEvent) -> None:
        """Show what a step led to and, under it, where it is seen, what there is to say about it."""
        self.show(observe(event.state))
        if remarks := "; ".join(filter(None, (event.step.problem, event.info.note))):
            self._say(f"! {remarks}")

    def _act(self, prompt: Prompt) -> Completion | PolicyError:
        text = self._read_answer() if prompt.state.phase == "answering" else self._read_command()
        self.has_left = text is None
        return PolicyError("the person left") if text is None else Completion(text)

    def show(self, observation: str) -> None:
        """Show an observation; nothing at the end of an episode."""
        if observation and not observation.endswith("\n"):
            observation += "\n"
        if not self.is_at_terminal:
            sys.stdout.write(observation)
            sys.stdout.flush()
            return
        text = Text(observation)
        text.highlight_regex("(?m)^♦.*$", "bold")
        text.highlight_regex("【[^】]*】", "cyan")
        self._out.print()
        self._out.print(text, end="", soft_wrap=True)

    def _say(self, text: str, style: str = "yellow") -> None:
        self._talk.print(Text(one_line(text), style), soft_wrap=True)

    def _read_line(self) -> str | None:
        try:
            return input("› " if self.is_at_terminal else "")
        except EOFError:
            return None

    def _read_command(self) -> str | None:
        while True:
            line = self._read_line()
            match None if line is None else line.strip():
                case None | "quit" | "exit":
                    return None
                case "":
                    continue
                case "help" | "?":
                    self._talk.print(command_table())
                    continue
                case _:
                    assert line is not None
                    command = expand(line)
                    if command != line:
                        self._say(f"= {command}", "dim")
                    return command

    def _read_answer(self) -> str | None:
        if self.is_at_terminal:
            self._say("Write the answer, citing quotes as [1]; an empty line ends it.", "dim")
        lines: list[str] = []
        while (line := self._read_line()) is not None and (line or not self.is_at_terminal):
            lines.append(line)
        return "\n".join(lines).strip() or None


def expand(line: str) -> str:
    """The command that a line means: ``d 2`` is ``Scrolled down 2``; what is no short form stays as it is."""
    letter, _, rest = line.partition(" ")
    command = LETTERS.get(letter, "")
    words, has_argument, _ = command.partition("<")
    if not command or (rest and not has_argument):
        return line
    return f"{words}{rest or ('1' if letter in 'du' else '')}"


def command_table() -> Table:
    """The ten commands for people."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("command", "short", "what it does"):
        table.add_column(heading)
    for command, letter, meaning in COMMANDS:
        argument = command[command.index("<") :] if letter and "<" in command else ""
        table.add_row(Text(command, "bold"), Text(f"{letter} {argument}".strip()), Text(meaning))
    table.add_row(Text("help, quit", "bold"), "", Text("for you alone; they cost no action"))
    return table


@contextlib.contextmanager
def _history() -> Iterator[None]:
    """Line editing at the prompt, with the lines of the last time; where there is no readline, plain lines."""
    if not sys.stdin.isatty():
        yield
        return
    try:
        import readline
    except ImportError:
        yield
        return
    file = user_state_path("open-webgpt") / "browse_history"
    with contextlib.suppress(OSError):  # no history yet, or a home that cannot be written: browsing works without
        file.parent.mkdir(parents=True, exist_ok=True)
        readline.read_history_file(file)
    try:
        yield
    finally:
        readline.set_history_length(HISTORY)
        with contextlib.suppress(OSError):
            readline.write_history_file(file)
