"""`webgpt browse`: the text browser at a prompt, where a person sees exactly what a policy sees.

The person is implemented as a policy: a rollout shows them each observation and carries out the commands that they type. A
saved episode therefore looks like any other, and the observations on stdout are byte for byte those that a model gets.
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
    ("Find in page: <text>", "f", "scroll to the next occurrence of a text"),
    ("Quote: <text>", "q", "keep text of this page as a reference; long text as start━end"),
    ("Scrolled down <1, 2, 3>", "d", "move down by 1 to 3 screens"),
    ("Scrolled up <1, 2, 3>", "u", "move up by 1 to 3 screens"),
    ("Top", "t", "go to the top of the page"),
    ("Back", "b", "go back to the previous page"),
    ("End: Answer", "a", "stop browsing and write the answer from the quotes"),
    ("End: <Nonsense, Controversial>", "", "stop browsing without an answer"),
)
"""The commands of Table 1, the short form of each at this prompt, and its effect."""
LETTERS = {letter: command for command, letter, _ in COMMANDS if letter}
HISTORY = 1_000
"""Number of input lines that are remembered between runs."""


@dataclass(frozen=True, slots=True)
class Browse:
    """Browse by hand at a prompt, one command per line; each observation is exactly what a policy sees.

    Type help for the ten commands and their short forms, and quit or Ctrl-D to leave. Commands can also come from a pipe;
    stdout then contains the observations only.

    Exit codes: 0 done, 1 failure, 2 usage, 130 interrupted.
    """

    question: Annotated[tuple[str, ...], Positional, arg(metavar="QUESTION")] = ("Just looking around",)
    """Question, shown at the top of every observation."""
    save: Annotated[Path | None, arg(metavar="FILE")] = None
    """Append the episode to this JSON Lines file."""
    name: str = "anonymous"
    """Name of the person, for the record."""
    web: Annotated[WebOptions, arg(name="")] = field(default_factory=WebOptions)
    """Options of the web to browse."""
    settings: Annotated[Settings, arg(name="")] = field(default_factory=Settings)
    """Format and budgets of the episode."""

    def run(self) -> int:
        """Browse until the episode or the input ends."""
        if self.question == ("-",):
            raise UsageError(
                "the question cannot be - because the commands come from standard input; pass the question as an argument"
            )
        question = read_question(self.question)
        check_writable(self.save)
        person = Person(self.name)
        with self.web.open() as web, _history():
            person.show(observe(BrowserState(question, self.settings)))
            episode = run_episode(person, web, question, self.settings, seed=0, save=self.save, on_step=person.on_step)
        if episode.failure and not person.has_left:
            raise WebGPTError(f"browsing failed: {episode.failure}")
        if episode.answer is not None and person.is_at_terminal:
            answer = clean(episode.answer)
            print_answer(Console(highlight=False), answer, check_citations(answer, episode.references), episode.references)
        return 0


class Person:
    """A policy whose commands a person types."""

    def __init__(self, name: str) -> None:
        self.name = f"human:{name}"
        self.is_at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        self._out = Console(highlight=False)
        self._log = Console(stderr=True, highlight=False)
        self.has_left = False

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        return [self._act(prompt) for prompt in prompts]

    def on_step(self, event: StepEvent) -> None:
        """Show the observation after a step, then its problem or note."""
        self.show(observe(event.state))
        if notes := "; ".join(filter(None, (event.step.problem, event.info.note))):
            self._say(f"! {notes}")

    def _act(self, prompt: Prompt) -> Completion | PolicyError:
        text = self._read_answer() if prompt.state.phase == "answering" else self._read_command()
        self.has_left = text is None
        return PolicyError("the person left") if text is None else Completion(text)

    def show(self, observation: str) -> None:
        """Show an observation, which is empty at the end of an episode."""
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
        self._log.print(Text(one_line(text), style), soft_wrap=True)

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
                    self._log.print(command_table())
                    continue
                case _:
                    assert line is not None
                    command = expand(line)
                    if command != line:
                        self._say(f"= {command}", "dim")
                    return command

    def _read_answer(self) -> str | None:
        if self.is_at_terminal:
            self._say("Write the answer, citing quotes as [1]; end it with an empty line.", "dim")
        lines: list[str] = []
        while (line := self._read_line()) is not None and (line or not self.is_at_terminal):
            lines.append(line)
        return "\n".join(lines).strip() or None


def expand(line: str) -> str:
    """The command that a line stands for: ``d 2`` is ``Scrolled down 2``. Other lines are returned unchanged."""
    letter, _, rest = line.partition(" ")
    command = LETTERS.get(letter, "")
    words, has_argument, _ = command.partition("<")
    if not command or (rest and not has_argument):
        return line
    return f"{words}{rest or ('1' if letter in 'du' else '')}"


def command_table() -> Table:
    """The ten commands with their short forms, as a table for a terminal."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("command", "short", "what it does"):
        table.add_column(heading)
    for command, letter, meaning in COMMANDS:
        argument = command[command.index("<") :] if letter and "<" in command else ""
        table.add_row(Text(command, "bold"), Text(f"{letter} {argument}".strip()), Text(meaning))
    table.add_row(Text("help, quit", "bold"), "", Text("these do not count as actions"))
    return table


@contextlib.contextmanager
def _history() -> Iterator[None]:
    """Line editing and history at the prompt, where readline is available."""
    if not sys.stdin.isatty():
        yield
        return
    try:
        import readline
    except ImportError:
        yield
        return
    file = user_state_path("open-webgpt") / "browse_history"
    with contextlib.suppress(OSError):  # there is no history yet, or the folder is not writable
        file.parent.mkdir(parents=True, exist_ok=True)
        readline.read_history_file(file)
    try:
        yield
    finally:
        readline.set_history_length(HISTORY)
        with contextlib.suppress(OSError):
            readline.write_history_file(file)
