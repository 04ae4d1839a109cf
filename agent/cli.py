"""`webgpt`: a table of commands, each a dataclass that is imported when it is called.

So the list of commands is instant and works without the packages that only some of them need. What every command has in
common stands here: how arguments become the dataclass, and how an end of any kind becomes an exit code and one line.
"""

import os
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from io import TextIOWrapper
from typing import NamedTuple, Protocol

from browser_env.command_line.exit_codes import BROKEN_PIPE, FAILURE, INTERRUPTED, USAGE
from browser_env.errors import UsageError, WebGPTError
from browser_env.pages.characters import clean_line


class Command(Protocol):
    """What a command's dataclass can do."""

    def run(self) -> int:
        """Do it; the result is the exit code."""
        ...


class Entry(NamedTuple):
    """A line of the table."""

    name: str
    arguments: str
    summary: str
    target: str
    """``module:Class`` of the dataclass."""


GROUPS: dict[str, tuple[Entry, ...]] = {
    "Ask": (
        Entry("ask", "QUESTION", "An answer whose every citation can be checked.", "agent.commands.ask:Ask"),
        Entry("browse", "", "The text browser at a prompt: what a policy sees.", "agent.commands.browse:Browse"),
    ),
    "Look": (
        Entry("bench", "--questions SET", "Policies measured on questions, with error bars.", "agent.commands.bench:Bench"),
        Entry("view", "DIR|FILE", "Episodes and benchmarks as pages to look at.", "agent.commands.view:View"),
    ),
    "Record": (
        Entry("record", "--questions FILE", "Demonstrations by people, in this terminal.", "recorder.commands.record:Record"),
        Entry("compare", "ANSWERS...", "Which answer is better, in this terminal.", "recorder.commands.compare:Compare"),
        Entry("data check", "FILE|DIR...", "Whether what was recorded is whole.", "recorder.commands.check:Check"),
        Entry("data stats", "FILE|DIR...", "What was recorded, by whom, how long.", "recorder.commands.stats:Stats"),
        Entry("data merge", "FILE|DIR...", "One file of what several recorded.", "recorder.commands.merge:Merge"),
        Entry("data agreement", "FILE|DIR...", "How far annotators agree.", "recorder.commands.agreement:Agreement"),
        Entry("data export", "FILE|DIR...", "For other programs: three formats.", "training.commands.exchange:Export"),
        Entry("data import", "FILE", "Published comparisons, as one's own.", "training.commands.exchange:Import"),
    ),
    "Train": (
        Entry("sample", "--questions SET", "Episodes of a policy, to compare or train on.", "agent.commands.sample:Sample"),
        Entry(
            "demonstrate",
            "--questions SET",
            "Demonstrations by a script.",
            "training.commands.demonstrate:Demonstrate",
        ),
        Entry("label", "EPISODES", "Comparisons by a script.", "training.commands.label:Label"),
        Entry("train base", "--out DIR", "The small model, from nothing.", "training.commands.base:TrainBase"),
        Entry("train bc", "--out DIR", "A policy cloned from demonstrations.", "training.commands.bc:BehaviorCloning"),
        Entry("train rm", "--out DIR", "A reward model from comparisons.", "training.commands.rm:RewardModel"),
        Entry("train ppo", "--out DIR", "A policy that a reward model likes.", "training.commands.ppo:ReinforcementLearning"),
        Entry("reproduce", "--out DIR", "All of it in order, with a report.", "training.commands.reproduce:Reproduce"),
    ),
    "Prepare": (
        Entry("index", "pydoc|DIR|URL", "An offline web in one file.", "agent.commands.index:Index"),
        Entry("snapshots", "DIR", "What was recorded; to and from web archives.", "agent.commands.snapshots:Snapshots"),
        Entry("questions", "SET", "Make or convert a question set.", "agent.commands.questions:Questions"),
    ),
}
COMMANDS = {entry.name: entry for entries in GROUPS.values() for entry in entries}

EXAMPLES = (
    ('webgpt ask "What does shutil.copytree do?"', "from Python's documentation"),
    ("webgpt browse --collection notes.webgpt", "an offline web of your own"),
    ('webgpt ask --web "Why do crows drop nuts?"', "the live web (docs/web.md)"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the result is the exit code."""
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, "backslashreplace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=errors)  # people type what is no UTF-8; pages have what not every terminal can show
    try:
        code = _dispatch(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()  # here, where a reader that went away can still be told from a crash
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter complains when it flushes at exit
        return BROKEN_PIPE
    except KeyboardInterrupt as interrupt:
        return _end(f"interrupted{''.join(f': {kept}' for kept in interrupt.args)}", INTERRUPTED)
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
                raise UsageError(f"there is no command {f'{group} {rest[0]}'!r}; webgpt {group} is followed by {kinds}")
            print("\n".join(f"webgpt {_line(COMMANDS[name])}" for name in members))
            return 0
        case _:
            name = arguments[0]
            near = get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]!r}?" if near else f"it is one of {', '.join(COMMANDS)}"
            raise UsageError(f"there is no command {name!r}; {advice} (webgpt --help)")


def _parse(entry: Entry, arguments: list[str]) -> Command:
    """The command that some arguments ask for. Prints and exits by itself on ``--help`` and what tyro cannot read."""
    module, _, name = entry.target.partition(":")
    command: type[Command] = getattr(import_module(module), name)
    import tyro

    try:
        return tyro.cli(command, prog=f"webgpt {entry.name}", args=arguments, config=(tyro.conf.FlagCreatePairsOff,))
    except ValueError as error:
        raise UsageError(f"{error} (webgpt {entry.name} --help)") from error


def _end(message: str, code: int) -> int:
    print(f"webgpt: {clean_line(message)}", file=sys.stderr)
    return code


def _line(entry: Entry, bold: Callable[[str], str] = str) -> str:
    return f"{bold(entry.name)}{f' {entry.arguments}':{28 - len(entry.name)}}{entry.summary}"


def help_text(*, styled: bool) -> str:
    """The table of commands and how to go on, with bold and dim for a terminal if `styled`."""

    def bold(text: str) -> str:
        return f"\033[1m{text}\033[0m" if styled else text

    def dim(text: str) -> str:
        return f"\033[2m{text}\033[0m" if styled else text

    lines = [
        "Ask an offline web or the live one, and check every citation of the answers.",
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
        "webgpt COMMAND --help explains a command. Answers go to stdout, talk to stderr.",
        dim("Exit codes: 0 done, 1 failure, 2 usage, 3 no supported answer, 130 interrupted."),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
