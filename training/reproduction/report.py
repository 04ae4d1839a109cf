"""The report of a finished reproduction: one Markdown page with tables, plots and sample episodes."""

import json
import math
import platform
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from agent.evaluation.summary import of_kind
from agent.intervals import Estimate, estimate, estimates, preference
from agent.rollouts.best_of_n import CurvePoint, best_of_n_curve
from browser_env.records import Episode
from browser_env.records.files import Json
from training.ppo.log import read_metrics
from training.ppo.metrics import IterationMetrics
from training.reproduction.figures import MISSING, draw_estimates, number, percent, plot, table
from training.reproduction.folders import TESTED, Folders, Trained, model_folder, read_episodes
from training.reproduction.scoring import EpisodeScores, read_agreement, read_scores
from training.reproduction.stages import stage_seconds
from training.reward_model.report import RewardModelReport
from training.runs import REPORT, RUN, read_report

REPORT_FILE: Final = "report.md"
BASELINE: Final = "cloned"
"""Policy that the others are compared with."""
COLUMNS: Final = (
    ("correct", "correct, %", percent),
    ("evidence_cited", "gold evidence cited, %", percent),
    ("f1", "F1, %", percent),
    ("gold", "gold score", number),
    ("answered", "answered, %", percent),
    ("actions", "commands", number),
    ("invalid", "invalid", number),
)
"""Metric, heading and format of the columns of the table of policies."""
TABLE_NUMBERS: Final = (4, 16, 64)
"""Values of n in the table of preferences (§3.2)."""
LOWEST_SCORE: Final = -5.0
"""Reward-model score that an episode without an answer counts as in the plots."""
SHOWN_EPISODES: Final = 3


def write_report(out: Path) -> Path:
    """Write the report of the reproduction in a folder, with its plots beside it; returns the path of the page."""
    folders = Folders.of(out)
    sections = (
        "# WebGPT reproduction report",
        _introduction(out),
        "## Policies on the test split",
        _policies(folders),
        "## Preferences",
        _preferences(folders),
        "## Reward models",
        _reward_models(folders),
        "## Best-of-n",
        _best_of_n(folders),
        "## PPO",
        _ppo(folders),
        "## Computing time",
        _computing_time(folders),
        "## Sample episodes",
        _sample_episodes(folders),
    )
    path = out / REPORT_FILE
    path.write_text("\n\n".join(sections) + "\n", "utf-8")
    return path


def _introduction(out: Path) -> str:
    config = json.loads((out / "config.json").read_text())
    versions = ", ".join(f"{name} {version}" for name, version in config["versions"].items())
    return (
        "Made by `webgpt reproduce`. The questions and pages of the test split come from modules that no training has seen. "
        "Brackets contain 95 % bootstrap intervals over questions. Demonstrations and comparisons are scripted; the gold score "
        "rates an answer from 0 to 1 by the gold evidence of its question.\n\n"
        f"Machine: {platform.machine()}, {versions}.\n\n"
        f"<details><summary>Configuration</summary>\n\n```json\n{json.dumps(config['config'], indent=2)}\n```\n\n</details>"
    )


# ------------------------------------------------------------------------------------------------------------ policies


def _policies(folders: Folders) -> str:
    results = _results(folders)
    kinds = sorted({str(row["kind"]) for rows in results.values() for row in rows})
    metrics = [*COLUMNS, *((of_kind(kind), f"{kind}, %", percent) for kind in kinds)]
    cells = []
    for name in TESTED:
        columns = _columns(results[name])
        columns["gold"] = [scores.gold for scores in read_scores(folders, folders.tested_file(name))]
        cells.append([name, str(len(results[name])), *(form(_estimate(columns[metric])) for metric, _, form in metrics)])
    caption = (
        "*greedy* policies always take the likeliest token, *free* ones sample without constrained decoding; *scripted* and "
        "*search-only* are baselines without a model. The last columns are the correct answers to each kind of question."
    )
    return f"{table(['policy', 'n', *(heading for _, heading, _ in metrics)], cells)}\n\n{caption}"


def _results(folders: Folders) -> dict[str, list[dict[str, Json]]]:
    """Rows of the benchmark's results by policy."""
    results: dict[str, list[dict[str, Json]]] = defaultdict(list)
    for line in (folders.benchmark / "results.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        results[row["policy"]].append(row)
    return results


def _columns(rows: Iterable[Mapping[str, Json]]) -> dict[str, list[float]]:
    """Values of each metric, and of correct answers by kind of question; questions without a value are left out."""
    columns: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for metric, value in {**row, of_kind(str(row["kind"])): row["correct"]}.items():
            if isinstance(value, (int, float)):
                columns[metric].append(value)
    return columns


def _estimate(values: Sequence[float]) -> Estimate | None:
    return estimate(values) if values else None


# --------------------------------------------------------------------------------------------------------- preferences


def _preferences(folders: Folders) -> str:
    baseline = {scores.question: scores.gold for scores in read_scores(folders, folders.tested_file(BASELINE))}
    rows = []
    for name, chosen in _compared(folders):
        pairs = [(scores.gold, baseline[scores.question]) for scores in chosen]
        gold, baseline_gold = zip(*pairs, strict=True)
        preferred, gold_mean, baseline_mean = estimates([[preference(*pair) for pair in pairs], gold, baseline_gold])
        rows.append([name, str(len(pairs)), percent(preferred), number(gold_mean), number(baseline_mean)])
    caption = (
        f"Share of the questions whose answer has a higher gold score than the answer of *{BASELINE}*; ties count as one half. "
        f"The last column is the gold score of *{BASELINE}* on the same questions."
    )
    headings = ["policy", "n", f"preferred to {BASELINE}, %", "gold score", f"gold score of {BASELINE}"]
    return f"{table(headings, rows)}\n\n{caption}"


def _compared(folders: Folders) -> Iterator[tuple[str, list[EpisodeScores]]]:
    """Yield the name and scores of each policy to compare with the baseline, and of best-of-n of both trained policies."""
    for name in TESTED:
        if name != BASELINE:
            yield name, read_scores(folders, folders.tested_file(name))
    trained: tuple[Trained, ...] = ("cloned", "ppo")
    for policy in trained:
        for n in TABLE_NUMBERS:
            if best := _best_of(folders, policy, n):
                yield f"{policy}, best of {n}", best


def _best_of(folders: Folders, policy: Trained, n: int) -> list[EpisodeScores]:
    """The best of the first n samples of each question; deep samples only if the others are fewer than n."""
    for is_deep in (False, True):
        samples = _samples(folders, policy, deep=is_deep)
        if best := [max(group[:n], key=lambda scores: scores.reward) for group in samples if len(group) >= n]:
            return best
    return []


def _samples(folders: Folders, policy: Trained, *, deep: bool) -> list[list[EpisodeScores]]:
    """Scores of the samples of each question, in the order in which they were drawn."""
    groups: dict[str, list[EpisodeScores]] = defaultdict(list)
    for scores in read_scores(folders, folders.sample_file(policy, deep=deep)):
        groups[scores.question].append(scores)
    return list(groups.values())


# ------------------------------------------------------------------------------------------------------- reward models


def _reward_models(folders: Folders) -> str:
    agreement = read_agreement(folders)
    parts = []
    for stage, gold in (
        (folders.reward_model, agreement.reward_model),
        (folders.validation_reward_model, agreement.validation_reward_model),
    ):
        report = read_report(model_folder(stage) / RUN / REPORT, RewardModelReport)
        parts.append(_reward_model(stage.name.replace("_", " "), report, gold))
        if curve := _learning_curve(folders.root / "reward_model.png", report):
            parts.append(curve)
    if agreement.labelers is not None:
        parts.append(
            f"Two labelers prefer the same answer in {100 * agreement.labelers:.1f} % of {agreement.rated_twice:,} pairs, "
            "without ties. A reward model can hardly be more accurate on their comparisons."
        )
    return "\n\n".join(parts)


def _reward_model(name: str, report: RewardModelReport, gold: Estimate | None) -> str:
    held_out = report.figures
    accuracy = f"accuracy {percent(held_out.accuracy)} %" if held_out.accuracy else "no accuracy because all are ties"
    on_gold = f", {percent(gold)} % on comparisons by the gold labeler" if gold else ""
    return (
        f"- **{name}**: trained on {report.groups:,} comparisons. On {held_out.pairs:,} held-out pairs: {accuracy} without "
        f"ties{on_gold}; log-loss {held_out.log_loss:.3f} nats, calibration error {held_out.calibration_error:.3f}."
    )


def _learning_curve(path: Path, report: RewardModelReport) -> str | None:
    """Plot of the accuracy by the number of comparisons; None if it was not measured."""
    points = [(point.groups, point.figures.accuracy) for point in report.curve if point.figures.accuracy]
    if not points:
        return None
    groups, accuracies = zip(*points, strict=True)
    with plot(path, "training comparisons", "accuracy without ties") as axes:
        draw_estimates(axes, groups, accuracies, "held-out pairs")
    return f"![Accuracy of the reward model by the number of training comparisons]({path.name})"


# ----------------------------------------------------------------------------------------------------------- best-of-n


def _best_of_n(folders: Folders) -> str:
    """The curves of Appendix I: the score of the best of n by each judge."""
    sources: tuple[tuple[Trained, bool], ...] = (("cloned", False), ("cloned", True), ("ppo", False))
    parts = []
    for policy, is_deep in sources:
        samples = _samples(folders, policy, deep=is_deep)
        fewest = min(map(len, samples), default=0)
        if fewest >= 2:
            title = f"{policy}, {len(samples)} questions, {fewest} samples of each"
            path = folders.root / f"best_of_n_{policy}_{'deep' if is_deep else 'samples'}.png"
            parts.append(_best_of_n_curve(title, path, _curve(samples)))
    return "\n\n".join(parts) or "There are no samples."


def _curve(samples: Sequence[Sequence[EpisodeScores]]) -> list[CurvePoint]:
    return best_of_n_curve(
        [[scores.reward for scores in group] for group in samples],
        {
            "reward model": [[max(scores.reward, LOWEST_SCORE) for scores in group] for group in samples],
            "validation reward model": [[max(scores.validation, LOWEST_SCORE) for scores in group] for group in samples],
            "gold score": [[scores.gold for scores in group] for group in samples],
        },
    )


def _best_of_n_curve(title: str, path: Path, curve: Sequence[CurvePoint]) -> str:
    judges = list(curve[0].values)
    with plot(path, "n", "score of the best of n") as axes:
        for judge in judges:
            draw_estimates(axes, [point.n for point in curve], [point.values[judge] for point in curve], judge)
        axes.legend()
    rows = [[str(point.n), f"{point.kl:.2f}", *map(number, point.values.values())] for point in curve]
    return f"**{title}**\n\n{table(['n', 'KL, nats', *judges], rows, is_named=False)}\n\n![{title}]({path.name})"


# ------------------------------------------------------------------------------------------------------------------ PPO


def _ppo(folders: Folders) -> str:
    metrics = read_metrics(model_folder(folders.ppo) / RUN)
    path = folders.root / "ppo.png"
    with plot(path, "square root of the KL divergence from the cloned policy", "score") as axes:
        distances = [math.sqrt(max(0.0, iteration.kl)) for iteration in metrics]
        axes.plot(distances, [iteration.score for iteration in metrics], "o-", label="reward model")
        axes.plot(distances, [iteration.gold_score or 0.0 for iteration in metrics], "s-", label="gold score")
        axes.legend()
    headings = [
        "iteration",
        "score",
        "gold score",
        "KL, nats",
        "clipped, %",
        "entropy, nats",
        "explained variance",
        "answered, %",
        "commands",
        "seconds",
    ]
    rows = map(_iteration, metrics)
    return f"{table(headings, rows, is_named=False)}\n\n![Scores by the distance from the cloned policy]({path.name})"


def _iteration(metrics: IterationMetrics) -> list[str]:
    return [
        str(metrics.iteration + 1),
        f"{metrics.score:+.3f}",
        MISSING if metrics.gold_score is None else f"{metrics.gold_score:.3f}",
        f"{metrics.kl:.2f}",
        f"{100 * metrics.clip_fraction:.1f}",
        f"{metrics.entropy:.3f}",
        f"{metrics.explained_variance:+.2f}",
        f"{100 * metrics.answered:.0f}",
        f"{metrics.commands:.1f}",
        f"{sum(metrics.seconds.values()):.0f}",
    ]


# -------------------------------------------------------------------------------------------------- time and episodes


def _computing_time(folders: Folders) -> str:
    minutes = {stage.name.replace("_", " "): stage_seconds(stage) / 60 for stage in folders.stages}
    rows = [[name, f"{value:.1f}"] for name, value in minutes.items()]
    return table(["stage", "minutes"], [*rows, ["**total**", f"**{sum(minutes.values()):.1f}**"]])


def _sample_episodes(folders: Folders) -> str:
    episodes = list(read_episodes(folders.tested_file(BASELINE)))[:SHOWN_EPISODES]
    return f"By *{BASELINE}*.\n\n" + "\n\n".join(map(_episode, episodes))


def _episode(episode: Episode) -> str:
    commands = [step.completion.strip().partition("\n")[0] for step in episode.steps if step.phase == "browsing"]
    references = [
        f"[{index}] {reference.full_title}: {reference.extract}" for index, reference in enumerate(episode.references, start=1)
    ]
    text = "\n".join([episode.question.text, "", *commands, "", episode.answer or "(no answer)", "", *references])
    return f"```text\n{text}\n```"
