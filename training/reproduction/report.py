"""What a reproduction found, as one page: tables with intervals, plots, and episodes to read."""

import json
import math
import platform
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agent.evaluation.judges import Lexical
from agent.evaluation.metrics import Row, measure
from agent.evaluation.summary import of_kind
from agent.intervals import Estimate, estimate, estimates, preference
from agent.rollouts.best_of_n import best_of_n_curve
from browser_env.records import Episode
from training.ppo.log import read_metrics
from training.reproduction.reproduce import CLEAN, REWARD_MODELS, TABLE_NUMBERS, read_episodes
from training.reproduction.stages import DONE

REPORT: Final = "report.md"
COLUMNS: Final = (
    ("correct", "correct, %", 100),
    ("evidence_cited", "gold evidence cited, %", 100),
    ("f1", "F1, %", 100),
    ("gold", "gold score", 1),
    ("answered", "answered, %", 100),
    ("actions", "commands", 1),
    ("invalid", "invalid", 1),
)
"""Of the tables: a figure, its heading, and what it is multiplied by."""
SHOWN_EPISODES: Final = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """One episode's scores."""

    question: str
    reward: float
    validation: float
    gold: float


def write_report(out: Path) -> Path:
    """Write the page of a finished reproduction, with its plots beside it; the result is its file."""
    tested = {file.stem: list(read_episodes(file)) for file in sorted((out / "tested").glob("*.jsonl"))}
    judged = {file.stem: _judged(file) for file in sorted((out / "scores").glob("*.jsonl"))}
    config = json.loads((out / "config.json").read_text())
    sections = [
        "# The whole of WebGPT on this machine",
        _about(config, out),
        "## Every policy on the test split",
        _policies(tested, judged),
        "## Preferences",
        _preferences(tested, judged),
        "## The reward model",
        _reward_model(out),
        "## Best-of-n",
        _best_of_n(out, judged),
        "## PPO",
        _ppo(out),
        "## What it cost",
        _cost(out),
        "## Episodes to read",
        *(_episode(episode) for episode in tested["cloned"][:SHOWN_EPISODES]),
    ]
    file = out / REPORT
    file.write_text("\n\n".join(sections) + "\n", "utf-8")
    return file


def _judged(file: Path) -> list[Judged]:
    rows = map(json.loads, file.read_text("utf-8").splitlines())
    return [Judged(row["question"], row["reward"], row["validation"], row["gold"]) for row in rows]


def _about(config: Mapping[str, Any], out: Path) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in config["versions"].items())
    return (
        "Made by `webgpt reproduce`. Questions, pages and modules of the test split were seen by no training. Intervals are "
        "95 % bootstrap intervals over questions; the annotators are scripted, and gold scores are by the gold evidence.\n\n"
        f"Machine: {platform.machine()}, {versions}.\n\n"
        f"<details><summary>Configuration</summary>\n\n```json\n{json.dumps(config['config'], indent=2)}\n```\n\n</details>"
    )


# ------------------------------------------------------------------------------------------------------------ policies


def _policies(tested: Mapping[str, Sequence[Episode]], judged: Mapping[str, Sequence[Judged]]) -> str:
    kinds = sorted({episode.question.kind or "" for episodes in tested.values() for episode in episodes})
    heads = ["policy", "n", *(title for _, title, _ in COLUMNS), *(f"{kind}, %" for kind in kinds)]
    lines = [_line(heads), _line(["---", *["---:"] * (len(heads) - 1)])]
    for name, episodes in tested.items():
        gold = {one.question: one.gold for one in judged[f"tested-{name}"]}
        columns = _columns(episodes, gold)
        cells = [_cell(columns[key], factor) for key, _, factor in COLUMNS]
        cells += [_cell(columns.get(of_kind(kind)), 100) for kind in kinds]
        lines.append(_line([name, str(len(episodes)), *cells]))
    return "\n".join(lines)


def _columns(episodes: Iterable[Episode], gold: Mapping[str, float]) -> dict[str, list[float]]:
    columns: dict[str, list[float]] = defaultdict(list)
    for episode in episodes:
        row: Row = measure(episode, Lexical()) | {"gold": gold[episode.question.id]}
        row[of_kind(episode.question.kind or "")] = row["correct"]
        for key, value in row.items():
            if value is not None:
                columns[key].append(value)
    return columns


def _preferences(tested: Mapping[str, Sequence[Episode]], judged: Mapping[str, Sequence[Judged]]) -> str:
    """Who is preferred to the cloned policy by the gold labeler, ties half."""
    base = {one.question: one.gold for one in judged["tested-cloned"]}
    rows = []
    for name in tested:
        if name != "cloned":
            rows.append((name, [(one.gold, base[one.question]) for one in judged[f"tested-{name}"]]))
    for policy in ("cloned", "ppo"):
        for n in TABLE_NUMBERS:
            chosen = _chosen(judged, policy, n)
            if chosen:
                rows.append((f"{policy}, best of {n}", [(one.gold, base[question]) for question, one in chosen.items()]))
    lines = [_line(["", "n", "preferred to cloned, %", "gold score", "cloned there"]), _line(["---", *["---:"] * 4])]
    for name, pairs in rows:
        preferred, mine, other = estimates([[preference(a, b) for a, b in pairs], [a for a, _ in pairs], [b for _, b in pairs]])
        lines.append(_line([name, str(len(pairs)), _figure(preferred, 100), _figure(mine, 1), _figure(other, 1)]))
    return "\n".join(lines)


def _chosen(judged: Mapping[str, Sequence[Judged]], policy: str, n: int) -> dict[str, Judged]:
    """The best of n for each question that was answered so often; of the deep samples only where the others are too few."""
    for name in ("samples", "deep"):
        samples = _by_question(judged.get(f"samples_{policy}-{name}", ()))
        if chosen := {question: _best(found[:n]) for question, found in samples.items() if len(found) >= n}:
            return chosen
    return {}


def _by_question(judged: Iterable[Judged]) -> dict[str, list[Judged]]:
    found: dict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        found[one.question].append(one)
    return found


def _best(samples: Sequence[Judged]) -> Judged:
    return max(samples, key=lambda one: one.reward)


# ------------------------------------------------------------------------------------------------------ learned scores


def _reward_model(out: Path) -> str:
    lines = []
    clean = json.loads((out / "scores" / CLEAN).read_text())
    for name in REWARD_MODELS:
        report = json.loads((out / name / "model" / "run" / "report.json").read_text())
        found = report["figures"]
        accuracy = found["accuracy"]
        said = "every pair is a tie" if accuracy is None else f"accuracy {_figure(Estimate(**accuracy), 100)} %"
        certain = clean.get(name)
        surely = f"; {_figure(Estimate(**certain), 100)} % on comparisons without errors" if certain else ""
        lines.append(
            f"- **{name.replace('_', ' ')}**: {report['groups']:,} comparisons learned; on {found['pairs']:,} held-out pairs "
            f"{said} without ties{surely}, log-loss {found['log_loss']:.3f}, calibration error "
            f"{found['calibration_error']:.3f}."
        )
        if report["curve"]:
            points = [(one["groups"], one["figures"]["accuracy"]) for one in report["curve"]]
            known = [(groups, accuracy) for groups, accuracy in points if accuracy]
            if known:
                with _Plot(out / "reward_model.png", "comparisons learned", "accuracy without ties") as axes:
                    _band(axes, [groups for groups, _ in known], [Estimate(**accuracy) for _, accuracy in known], "held out")
                    axes.set_xscale("log", base=2)
                lines.append("\n![Accuracy by the number of comparisons](reward_model.png)")
    if clean["agreement"] is not None:
        lines.append(
            f"\nTwo labelers agree on {100 * clean['agreement']:.1f} % of {clean['rated_twice']:,} pairs that neither calls "
            "equal: that is what accuracy on their comparisons can hope for."
        )
    return "\n".join(lines)


def _best_of_n(out: Path, judged: Mapping[str, Sequence[Judged]]) -> str:
    """The curve of Appendix I, and gold against proxy over the distance (Gao et al. 2022)."""
    parts = []
    for policy, name in (("cloned", "samples"), ("cloned", "deep"), ("ppo", "samples")):
        samples = list(_by_question(judged.get(f"samples_{policy}-{name}", ())).values())
        if not samples or min(map(len, samples)) < 2:
            continue
        curve = best_of_n_curve(
            [[one.reward for one in found] for found in samples],
            {
                "reward model": [[max(one.reward, -5) for one in found] for found in samples],
                "validation": [[max(one.validation, -5) for one in found] for found in samples],
                "gold": [[one.gold for one in found] for found in samples],
            },
        )
        title = f"{policy}, {len(samples)} questions, {min(map(len, samples))} samples of each"
        lines = [f"**{title}**", "", _line(["n", "KL, nats", *curve[0].values]), _line(["---:"] * (2 + len(curve[0].values)))]
        lines += [_line([str(p.n), f"{p.kl:.2f}", *(_figure(v, 1) for v in p.values.values())]) for p in curve]
        file = f"best_of_n_{policy}_{name}.png"
        with _Plot(out / file, "n", "score") as axes:
            for judge in curve[0].values:
                _band(axes, [point.n for point in curve], [point.values[judge] for point in curve], judge)
            axes.set_xscale("log", base=2)
            axes.legend()
        parts.append("\n".join(lines) + f"\n\n![{title}]({file})")
    return "\n\n".join(parts) or "No samples."


def _ppo(out: Path) -> str:
    metrics = read_metrics(out / "ppo" / "model" / "run")
    heads = ["iteration", "score", "gold", "KL, nats", "clipped, %", "entropy", "explained", "answered, %", "commands", "s"]
    lines = [_line(heads), _line(["---:"] * len(heads))]
    for one in metrics:
        gold = "–" if one.gold_score is None else f"{one.gold_score:.3f}"
        lines.append(
            _line(
                [
                    str(one.iteration + 1),
                    f"{one.score:+.3f}",
                    gold,
                    f"{one.kl:.2f}",
                    f"{100 * one.clip_fraction:.1f}",
                    f"{one.entropy:.3f}",
                    f"{one.explained_variance:+.2f}",
                    f"{100 * one.answered:.0f}",
                    f"{one.commands:.1f}",
                    f"{sum(one.seconds.values()):.0f}",
                ]
            )
        )
    with _Plot(out / "ppo.png", "square root of the KL divergence from the cloned policy", "score") as axes:
        distance = [math.sqrt(max(0.0, one.kl)) for one in metrics]
        axes.plot(distance, [one.score for one in metrics], "o-", label="reward model")
        axes.plot(distance, [one.gold_score or 0.0 for one in metrics], "s-", label="gold")
        axes.legend()
    return "\n".join(lines) + "\n\n![Score by distance](ppo.png)"


# ------------------------------------------------------------------------------------------------------------ the rest


def _cost(out: Path) -> str:
    lines = [_line(["stage", "minutes"]), _line(["---", "---:"])]
    total = 0.0
    for file in sorted(out.glob(f"*/{DONE}"), key=lambda file: file.stat().st_mtime):
        seconds = json.loads(file.read_text())["seconds"]
        total += seconds
        lines.append(_line([file.parent.name.replace("_", " "), f"{seconds / 60:.1f}"]))
    return "\n".join([*lines, _line(["**all**", f"**{total / 60:.1f}**"])])


def _episode(episode: Episode) -> str:
    steps = [step.completion.strip().partition("\n")[0] for step in episode.steps if step.phase == "browsing"]
    references = [f"[{number}] {one.full_title}: {one.extract}" for number, one in enumerate(episode.references, start=1)]
    text = "\n".join([episode.question.text, "", *steps, "", episode.answer or "(no answer)", "", *references])
    return f"```text\n{text}\n```"


def _cell(values: Sequence[float] | None, factor: float) -> str:
    return "–" if not values else _figure(estimate(values), factor)


def _figure(found: Estimate, factor: float) -> str:
    digits = 1 if factor == 100 else 2
    return f"{factor * found.mean:.{digits}f} [{factor * found.low:.{digits}f}, {factor * found.high:.{digits}f}]"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


class _Plot:
    """A plot that is written when it is left."""

    def __init__(self, file: Path, across: str, up: str) -> None:
        self.file, self.across, self.up = file, across, up

    def __enter__(self) -> Any:  # matplotlib has no types
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(6, 4), dpi=120, layout="constrained")
        FigureCanvasAgg(self.figure)
        axes = self.figure.add_subplot()
        axes.set_xlabel(self.across)
        axes.set_ylabel(self.up)
        axes.grid(alpha=0.3)
        return axes

    def __exit__(self, *error: object) -> None:
        if error == (None, None, None):
            self.figure.savefig(self.file)


def _band(axes: Any, across: Sequence[float], found: Sequence[Estimate], label: str) -> None:
    axes.plot(across, [one.mean for one in found], "o-", label=label)
    axes.fill_between(across, [one.low for one in found], [one.high for one in found], alpha=0.2)
