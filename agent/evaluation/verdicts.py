"""A file of judges' verdicts, so that each question is put to a model once, and people can read its replies."""

import json
from collections.abc import Sequence
from pathlib import Path

from agent.evaluation.judges import Entailment, Pair
from browser_env.errors import RecordError
from browser_env.records.digests import stable_hash
from browser_env.records.storage import append_line, drop_torn_line


class Verdicts:
    """Verdicts in a JSON Lines file, read at the start and appended to."""

    def __init__(self, path: Path) -> None:
        """Read the verdicts of a file, which need not exist.

        Raises:
            RecordError: A line is not a verdict.
        """
        self._path = path
        self._known: dict[str, bool] = {}
        drop_torn_line(path)
        for number, line in enumerate(path.read_bytes().splitlines() if path.exists() else (), start=1):
            try:
                record = json.loads(line)
                self._known[_key(record["judge"], record["about"])] = record["verdict"]
            except (ValueError, KeyError, TypeError) as error:
                raise RecordError(f"{path}:{number}: is not a verdict; delete this line to continue") from error

    def get(self, judge: str, about: Sequence[str]) -> bool | None:
        """The verdict of a judge about some texts; None if it has not been asked."""
        return self._known.get(_key(judge, about))

    def add(self, judge: str, about: Sequence[str], verdict: bool, reply: str | None = None) -> None:
        """Append a verdict to the file, with the model's reply that it was read from."""
        self._known[_key(judge, about)] = verdict
        record = {"judge": judge, "about": list(about), "verdict": verdict, "reply": reply}
        append_line(self._path, json.dumps(record, ensure_ascii=False))


class CachedEntailment:
    """A judge of entailment that is asked only about pairs without a saved verdict."""

    def __init__(self, judge: Entailment, verdicts: Verdicts) -> None:
        self.name = judge.name
        self._judge = judge
        self._verdicts = verdicts

    def entails(self, pairs: Sequence[Pair]) -> list[bool]:
        new = [pair for pair in dict.fromkeys(pairs) if self._verdicts.get(self.name, pair) is None]
        for pair, verdict in zip(new, self._judge.entails(new) if new else (), strict=True):
            self._verdicts.add(self.name, pair, verdict)
        return [bool(self._verdicts.get(self.name, pair)) for pair in pairs]


def _key(judge: str, about: Sequence[str]) -> str:
    return stable_hash(judge, *about)
