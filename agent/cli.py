"""The `webgpt` command line: the table of commands, argument parsing, and exit codes.

Each command is a dataclass that is imported only when it is called, so the list of commands appears at once and works without
the packages that only some commands need.
"""

import os
import re
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from io import TextIOWrapper
from typing import NamedTuple, Protocol

from browser_env.command_line.exit_codes import BROKEN_PIPE, FAILURE, INTERRUPTED, UNSUPPORTED, USAGE
from browser_env.errors import UsageError, WebGPTError
from browser_env.pages.characters import clean_line


class Command(Protocol):
    """Interface of the command dataclasses."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        ...


class Entry(NamedTuple):
    """A command in the table."""

    name: str
    arguments: str
    """Required arguments, as `--help` shows them."""
    summary: str
    """One sentence that begins with a verb; at most 50 characters."""
    target: str
    """The dataclass, as ``module:Class``."""


GROUPS: dict[str, tuple[Entry, ...]] = {
    "Ask": (
        Entry("ask", "QUESTION", "Answer a question with citations you can check.", "agent.commands.ask:Ask"),
        Entry("browse", "", "Browse by hand, seeing what a policy sees.", "agent.commands.browse:Browse"),
    ),
    "Evaluate": (
        Entry("bench", "--questions SET", "Measure policies on a question set.", "agent.commands.bench:Bench"),
        Entry("view", "DIR|FILE", "Make HTML pages of a benchmark or of episodes.", "agent.commands.view:View"),
    ),
    "Collect human data": (
        Entry("record", "--questions FILE", "Record how a person answers questions.", "recorder.commands.record:Record"),
        Entry("compare", "ANSWERS...", "Ask a person which of two answers is better.", "recorder.commands.compare:Compare"),
        Entry("data check", "FILE|DIR...", "Check recorded data for errors.", "recorder.commands.check:Check"),
        Entry("data stats", "FILE|DIR...", "Summarize recorded data: counts, people, time.", "recorder.commands.stats:Stats"),
        Entry("data merge", "FILE|DIR...", "Merge recorded data into one file.", "recorder.commands.merge:Merge"),
        Entry(
            "data agreement",
            "FILE|DIR...",
            "Measure the agreement between annotators.",
            "recorder.commands.agreement:Agreement",
        ),
        Entry(
            "data export", "FILE|DIR...", "Convert records to formats of other programs.", "training.commands.exchange:Export"
        ),
        Entry("data import", "FILE", "Convert OpenAI's published comparisons.", "training.commands.exchange:Import"),
    ),
    "Train": (
        Entry("sample", "--questions SET", "Sample episodes of a policy into a file.", "agent.commands.sample:Sample"),
        Entry(
            "demonstrate",
            "--questions SET",
            "Generate demonstrations with a script.",
            "training.commands.demonstrate:Demonstrate",
        ),
        Entry("label", "EPISODES", "Compare answers with a script.", "training.commands.label:Label"),
        Entry("train base", "--out DIR", "Pretrain the small base model.", "training.commands.base:TrainBase"),
        Entry("train bc", "--out DIR", "Train a policy to imitate demonstrations.", "training.commands.bc:BehaviorCloning"),
        Entry("train rm", "--out DIR", "Train a reward model on comparisons.", "training.commands.rm:RewardModel"),
        Entry(
            "train ppo",
            "--out DIR",
            "Improve a policy with a reward model (PPO).",
            "training.commands.ppo:ReinforcementLearning",
        ),
        Entry(
            "reproduce", "--out DIR", "Run all trainings in order and write a report.", "training.commands.reproduce:Reproduce"
        ),
    ),
    "Prepare": (
        Entry("index", "pydoc|DIR|URL", "Build an offline web from documents or a site.", "agent.commands.index:Index"),
        Entry("snapshots", "DIR", "Describe, export or import recorded web pages.", "agent.commands.snapshots:Snapshots"),
        Entry("questions", "SET", "Make a question set or convert a published one.", "agent.commands.questions:Questions"),
    ),
}
"""Commands by the group under which ``webgpt --help`` lists them."""
COMMANDS = {entry.name: entry for entries in GROUPS.values() for entry in entries}

EXAMPLES = (
    ('webgpt ask "What does shutil.copytree do?"', "from Python's documentation"),
    ("webgpt browse --collection notes.sqlite", "an offline web of your own"),
    ('webgpt ask --web "Why do crows drop nuts?"', "the live web (docs/web.md)"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code. ``arguments`` default to those of the process."""
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, "backslashreplace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=errors)  # input may not be UTF-8, and a terminal may lack characters of a page
    try:
        code = _dispatch(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()  # here, so that a closed pipe raises BrokenPipeError inside this block
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter reports an error when it flushes at exit
        return BROKEN_PIPE
    except KeyboardInterrupt as interrupt:
        return _end(f"interrupted{''.join(f': {detail}' for detail in interrupt.args)}", INTERRUPTED)
    except UsageError as error:
        return _end(str(error), USAGE)
    except WebGPTError as error:
        return _end(str(error), FAILURE)
    except OSError as error:
        return _end(f"{error.filename}: {error.strerror}" if error.filename else str(error), FAILURE)
    return code


def _dispatch(arguments: list[str]) -> int:
    match arguments:
        case [] | ["-h" | "--help"]:
            print(help_text(styled=sys.stdout.isatty() and "NO_COLOR" not in os.environ))
            return 0
        case ["--version"]:
            from importlib.metadata import version

            print(f"webgpt {version('open-webgpt')}")
            return 0
        case ["help", *command]:
            return _dispatch([*command, "--help"])
        case [group, name, *rest] if (entry := COMMANDS.get(f"{group} {name}")) is not None:
            return _parse(entry, rest).run()
        case [name, *rest] if name in COMMANDS:
            return _parse(COMMANDS[name], rest).run()
        case [group, *rest] if members := [name for name in COMMANDS if name.startswith(f"{group} ")]:
            if rest and rest[0] not in ("-h", "--help"):
                kinds = ", ".join(name.removeprefix(f"{group} ") for name in members)
                raise UsageError(f"there is no command {f'{group} {rest[0]}'!r}; webgpt {group} takes {kinds}")
            print("\n".join(f"webgpt {_line(COMMANDS[name])}" for name in members))
            return 0
        case _:
            name = arguments[0]
            near = get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]!r}?" if near else f"it is one of {', '.join(COMMANDS)}"
            raise UsageError(f"there is no command {name!r}; {advice} (webgpt --help)")


def _parse(entry: Entry, arguments: list[str]) -> Command:
    """Make a command from its arguments. Prints and exits on ``--help`` and on arguments that tyro cannot parse.

    Raises:
        UsageError: A value is out of range.
    """
    module, _, name = entry.target.partition(":")
    command: type[Command] = getattr(import_module(module), name)
    import tyro

    from agent.commands.help_texts import help_text_rules

    try:
        return tyro.cli(
            command,
            prog=f"webgpt {entry.name}",
            args=arguments,
            config=(tyro.conf.FlagCreatePairsOff,),
            registry=help_text_rules(),
        )
    except ValueError as error:
        # Messages of the settings begin with the name of the field.
        message = re.sub("^([a-z_]+)(?= must )", lambda field: f"--{field[1].replace('_', '-')}", str(error))
        raise UsageError(f"{message} (webgpt {entry.name} --help)") from error


def _end(message: str, code: int) -> int:
    print(f"webgpt: {clean_line(message)}", file=sys.stderr)
    return code


def _line(entry: Entry, bold: Callable[[str], str] = str) -> str:
    return f"{bold(entry.name)}{f' {entry.arguments}':{28 - len(entry.name)}}{entry.summary}"


def help_text(*, styled: bool) -> str:
    """The text of ``webgpt --help``, with bold and dim escape sequences if `styled`."""

    def bold(text: str) -> str:
        return f"\033[1m{text}\033[0m" if styled else text

    def dim(text: str) -> str:
        return f"\033[2m{text}\033[0m" if styled else text

    lines = [
        "Answer questions from an offline or the live web, with citations you can check.",
        "",
        f"{bold('Usage:')} webgpt COMMAND [OPTIONS]",
    ]
    for group, entries in GROUPS.items():
        lines += ["", bold(group)]
        lines += [f"  {_line(entry, bold)}" for entry in entries]
    lines += ["", bold("Examples")]
    lines += [f"  {example:44} {dim(f'# {meaning}')}" for example, meaning in EXAMPLES]
    lines += [
        "",
        "Run webgpt COMMAND --help for the options of a command.",
        dim(
            f"Exit codes: 0 done, {FAILURE} failure, {USAGE} usage, {UNSUPPORTED} unsupported answer, "
            f"{INTERRUPTED} interrupted."
        ),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
