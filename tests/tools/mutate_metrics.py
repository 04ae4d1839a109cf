"""Break the metrics one place at a time and see whether their tests notice: ``python tests/tools/mutate_metrics.py``.

Takes some minutes, so it is a command of its own and no test. Each line of `MUTATIONS` is made in a copy of the sources, in
which the tests of that file are run. One that no test notices *survives*, and says which test is missing. Exit code 1 if any
does, or if a line of the list is in no source any more.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
TESTS: Final = {
    "metrics": ("test_metrics.py",),
    "intervals": ("test_intervals.py",),
    "citations": ("test_citations.py", "test_metrics.py"),
    "entailment": ("test_entailment.py",),
    "summary": ("test_benchmark.py",),
}
"""Module of `agent` -> its tests in tests/agent."""


class Mutation(NamedTuple):
    """One place to break."""

    module: str
    what: str
    old: str
    new: str


MUTATIONS: Final = tuple(
    Mutation(*mutation)
    for mutation in (
        ("metrics", "SQuAD: case counts", "for character in text.lower() if", "for character in text if"),
        ("metrics", "SQuAD: punctuation stays", "if character not in string.punctuation)", ")"),
        ("metrics", "SQuAD: articles stay", 'r"\\b(a|an|the)\\b", " "', 'r"\\b(a|an|the)\\b", r"\\1"'),
        ("metrics", "SQuAD: articles inside words go", 'r"\\b(a|an|the)\\b"', 'r"(a|an|the)"'),
        (
            "metrics",
            "exact match: an empty answer matches",
            "map(squad_normal_form, accepted) if answer else False",
            "map(squad_normal_form, accepted)",
        ),
        (
            "metrics",
            "exact match: citations are part of it",
            "return squad_normal_form(without_citations(answer)) in",
            "return squad_normal_form(answer) in",
        ),
        (
            "metrics",
            "F1: the first alias counts",
            "return max((_overlap_f1(given, squad_normal_form(text).split()) for text in accepted), default=0.0)",
            "return next((_overlap_f1(given, squad_normal_form(text).split()) for text in accepted), 0.0)",
        ),
        (
            "metrics",
            "F1: repetitions count",
            "common = (Counter(given) & Counter(wanted)).total()",
            "common = sum(word in wanted for word in given)",
        ),
        (
            "metrics",
            "F1: precision for F1",
            "return 2 * common / (given + wanted) if common else 0.0",
            "return common / given if common else 0.0",
        ),
        ("metrics", "contains: case counts", "text = without_citations(answer).casefold()", "text = without_citations(answer)"),
        (
            "metrics",
            "contains: inside other words",
            'rf"(?<!\\w){re.escape(one.casefold())}(?!\\w)"',
            "re.escape(one.casefold())",
        ),
        ("metrics", "contains: a point is any character", "re.escape(one.casefold())", "one.casefold()"),
        ("metrics", "contains: a name is its words", "if _NAME.fullmatch(one)", "if one.isalpha()"),
        (
            "metrics",
            "contains: words anywhere",
            "row[start : start + size] == sought for start",
            "set(sought) <= set(row) for start",
        ),
        ("metrics", "contains: not at the end", "range(len(row) - size + 1)", "range(len(row) - size)"),
        ("metrics", "contains: nothing is in everything", "return size > 0 and any(", "return any("),
        ("metrics", "evidence: on any page", " if _is_page(reference.url, page.url))", ")"),
        (
            "metrics",
            "evidence: fragments are other pages",
            "return urldefrag(url)[0] == urldefrag(other)[0]",
            "return url == other",
        ),
        ("metrics", "evidence: the last point is needed", 'sentence.rstrip(" .:;!?…")', "sentence"),
        (
            "metrics",
            "evidence: byte for byte",
            "any(normalize(reference.extract).find(needle) is not None for",
            "any(needle in reference.extract for",
        ),
        ("metrics", "evidence: one sentence is enough", "return sum(found) / len(found)", "return float(any(found))"),
        (
            "metrics",
            "evidence: need not be cited",
            "return [references[number - 1] for number in cited_numbers(answer) if 1 <= number <= len(references)]",
            "return list(references)",
        ),
        (
            "metrics",
            "citations of references count from 0",
            "[references[number - 1] for number in cited_numbers(answer) if 1 <= number",
            "[references[number] for number in cited_numbers(answer) if 0 <= number + 1",
        ),
        ("metrics", "correct: unanswerable if answered", "return not answer\n", "return bool(answer)\n"),
        (
            "metrics",
            "correct: part of the evidence",
            "cited_references(answer, references)) == 1\n    return",
            "cited_references(answer, references)) > 0\n    return",
        ),
        (
            "metrics",
            "correct: ties are correct",
            "rouge_difference(rouge_l, answer, question) > 0",
            "rouge_difference(rouge_l, answer, question) >= 0",
        ),
        ("metrics", "correct: names need evidence instead", " and question.kind != NAMED:", ":"),
        ("metrics", "correct: nothing known is wrong", "if question.answers else None", "if question.answers else False"),
        ("metrics", "correct: a failure can be", "float(correct and not failed)", "float(correct)"),
        ("metrics", "failed: its answer counts", 'return "" if episode.failure else', "return"),
        (
            "metrics",
            "failed: its references count",
            "references = () if episode.failure else episode.references",
            "references = episode.references",
        ),
        (
            "metrics",
            "ALCE: no citation is no cost",
            "return [next(verdicts) if cited else False for",
            "return [next(verdicts) if cited else True for",
        ),
        (
            "metrics",
            "ALCE: unknown numbers cost nothing",
            "exist = all(1 <= number <= len(references) for number in numbers)",
            "numbers = tuple(n for n in numbers if 1 <= n <= len(references))\n    exist = True",
        ),
        ("metrics", "ALCE: number 0 is the last reference", "exist = all(1 <= number", "exist = all(0 <= number"),
        ("metrics", "ALCE: four citations", "MAX_CITATIONS: Final = 3", "MAX_CITATIONS: Final = 4"),
        ("metrics", "ALCE: two citations", "MAX_CITATIONS: Final = 3", "MAX_CITATIONS: Final = 2"),
        ("metrics", "ALCE: irrelevant ones count", " - sum(without)\n", "\n"),
        (
            "metrics",
            "ALCE: irrelevant if not enough alone",
            "relevant = sum(len(sentence.cited) for sentence, holds in zip(sentences, entailed, strict=True) if holds) - sum(without)",
            "relevant = sum(len(sentence.cited) for sentence, holds in zip(sentences, entailed, strict=True) if holds) - len(doubtful)",
        ),
        (
            "metrics",
            "ALCE: irrelevant if others are enough",
            "doubtful = [pair for pair, holds in zip(several, alone, strict=True) if not holds]",
            "doubtful = several",
        ),
        (
            "metrics",
            "ALCE: precision without recall",
            "for sentence, holds in zip(sentences, entailed, strict=True) if holds) -",
            "for sentence, holds in zip(sentences, entailed, strict=True)) -",
        ),
        (
            "metrics",
            "ALCE: precision over entailed sentences",
            "citations = sum(sentence.num_citations for sentence in sentences)",
            "citations = sum(len(s.cited) for s, holds in zip(sentences, entailed, strict=True) if holds)",
        ),
        (
            "metrics",
            "ALCE: recall over cited sentences",
            "recall=sum(entailed) / len(sentences) if sentences else 0.0",
            "recall=sum(entailed) / max(1, sum(bool(s.cited) for s in sentences))",
        ),
        (
            "metrics",
            "ALCE: nothing said is supported",
            "len(sentences) if sentences else 0.0",
            "len(sentences) if sentences else 1.0",
        ),
        (
            "metrics",
            "ALCE: nothing cited is precise",
            "relevant / citations if citations else 0.0",
            "relevant / citations if citations else 1.0",
        ),
        (
            "metrics",
            "ALCE: titles are left out",
            'return f"Title: {reference.title}\\n{reference.extract}"',
            "return reference.extract",
        ),
        (
            "metrics",
            "ALCE: citations stay in the sentence",
            "return _Cited(without_citations(sentence), cited,",
            "return _Cited(sentence, cited,",
        ),
        (
            "metrics",
            "ALCE: also where silence is right",
            "if question.kind == UNANSWERABLE:\n        return {",
            "if question.kind == UNANSWERABLE and answer:\n        return {",
        ),
        ("metrics", "ROUGE: case counts", 'r"[^\\W_]+", text.lower()', 'r"[^\\W_]+", text'),
        ("metrics", "ROUGE: underscores join", 'r"[^\\W_]+", text.lower()', 'r"\\w+", text.lower()'),
        (
            "metrics",
            "ROUGE-L: words in any order",
            "return _f1(_common_subsequence(given, wanted), len(given), len(wanted))",
            "return _overlap_f1(given, wanted)",
        ),
        (
            "metrics",
            "ROUGE-L: a substring",
            "row[index] = diagonal + 1 if word == other else max(above, row[index - 1])",
            "row[index] = diagonal + 1 if word == other else 0",
        ),
        (
            "metrics",
            "ROUGE-L: a word counts again",
            "row[index] = diagonal + 1 if word == other",
            "row[index] = row[index - 1] + 1 if word == other",
        ),
        (
            "metrics",
            "TruthfulQA: the farthest answer counts",
            "max((rouge(text, other) for other in others), default=0.0)",
            "min((rouge(text, other) for other in others), default=0.0)",
        ),
        ("metrics", "TruthfulQA: the wrong way round", "return correct - incorrect", "return incorrect - correct"),
        ("metrics", "TruthfulQA: incorrect answers are left out", "return correct - incorrect", "return correct"),
        (
            "metrics",
            "TruthfulQA: citations are words",
            "text = without_citations(answer)\n    correct, incorrect",
            "text = answer + ' 1'\n    correct, incorrect",
        ),
        (
            "metrics",
            "TruthfulQA: true or informative",
            "verdict.truthful and verdict.informative",
            "verdict.truthful or verdict.informative",
        ),
        ("metrics", "TruthfulQA: true for informative", "float(verdict.informative),", "float(verdict.truthful),"),
        (
            "metrics",
            "behavior: silence is unsupported",
            "float(bool(answer) and not cited_references(answer, references))",
            "float(not cited_references(answer, references))",
        ),
        (
            "metrics",
            "behavior: any number is support",
            "not cited_references(answer, references))",
            "not cited_numbers(answer))",
        ),
        ("metrics", "behavior: invalid ones are what they try", 'yield "invalid" if step.problem else', "yield"),
        ("metrics", "behavior: the answer is an action", 'if step.phase == "browsing":', "if step.phase:"),
        (
            "metrics",
            "behavior: what was read out is ignored",
            "step.completion if step.command is None else step.command))",
            "step.completion))",
        ),
        (
            "metrics",
            "behavior: share of valid actions",
            'kinds["invalid"] / actions if actions else None',
            '1 - kinds["invalid"] / actions if actions else None',
        ),
        (
            "metrics",
            "behavior: no action is no invalid one",
            'kinds["invalid"] / actions if actions else None',
            'kinds["invalid"] / max(1, actions)',
        ),
        ("metrics", "behavior: some tokens are all", "if tokens and None not in tokens else None", "if tokens else None"),
        (
            "metrics",
            "behavior: a failure ended well",
            "float(episode.failure is None and episode.ending == ending)",
            "float(episode.ending == ending)",
        ),
        ("intervals", "90 % intervals", "CONFIDENCE = 0.95", "CONFIDENCE = 0.90"),
        ("intervals", "99 % intervals", "CONFIDENCE = 0.95", "CONFIDENCE = 0.99"),
        (
            "intervals",
            "resamples are too small",
            "generator.choices(questions, k=n)",
            "generator.choices(questions, k=max(1, n // 2)) + questions[: n - max(1, n // 2)]",
        ),
        ("intervals", "drawn without putting back", "generator.choices(questions, k=n)", "generator.sample(questions, k=n)"),
        ("intervals", "ends are not symmetrical", "ordered[-1 - tail]", "ordered[-tail]"),
        ("intervals", "the lower end is the least", "(ordered[tail], ordered[-1 - tail])", "(ordered[0], ordered[-1 - tail])"),
        ("intervals", "fields run into each other", ".bit_length() + 1\n", ".bit_length() // 2\n"),
        ("intervals", "values lose their fractions", "return round(value * _SCALE)", "return round(value) * _SCALE"),
        ("intervals", "the minimum is not put back", "(end + n * low) / (n * _SCALE)", "end / (n * _SCALE)"),
        (
            "intervals",
            "mean of one question less",
            "Estimate(math.fsum(column) / n, first, last, n)",
            "Estimate(math.fsum(column) / max(1, n - 1), first, last, n)",
        ),
        ("intervals", "the seed is ignored", "generator = random.Random(seed)", "generator = random.Random()"),
        ("intervals", "difference: the wrong way round", "return first - second\n", "return second - first\n"),
        (
            "intervals",
            "preference: ties are won",
            "return 0.5 + 0.5 * ((first > second) - (first < second))",
            "return float(first >= second)",
        ),
        (
            "intervals",
            "preference: no answer ties",
            "return 0.5 + 0.5 * ((first is not None) - (second is not None))",
            "return 0.5",
        ),
        ("citations", "four digits are a citation", "[0-9]{1,3}(?:", "[0-9]{1,4}(?:"),
        (
            "citations",
            "citations in code count",
            "if numbers and not any(start <= match.start() < end for start, end in code):",
            "if numbers:",
        ),
        ("citations", "ranges are their ends", "numbers.extend(range(ends[0], ends[-1] + 1))", "numbers.extend(ends)"),
        ("citations", "numbers that are not there are known", "if 1 <= number <= len(references))", "if 1 <= number)"),
        (
            "citations",
            "support by any word",
            "return (claimed & given).total() / claimed.total() if claimed else 0.0",
            "return float(bool(claimed & given))",
        ),
        (
            "citations",
            "support without repetitions",
            "return (claimed & given).total() / claimed.total() if claimed else 0.0",
            "return len(claimed & given) / len(claimed) if claimed else 0.0",
        ),
        (
            "citations",
            "support: negations say nothing",
            "if word not in STOP_WORDS or word in _NEGATIONS)",
            "if word not in STOP_WORDS)",
        ),
        ("citations", "a citation behind the point is the next sentence's", "(?:[ \\t]*{_LIST})*(?:", "(?:"),
        ("entailment", "lexical: half of the words", "THRESHOLD: Final = 0.8", "THRESHOLD: Final = 0.5"),
        ("entailment", "lexical: all of the words", "THRESHOLD: Final = 0.8", "THRESHOLD: Final = 1.0"),
        (
            "entailment",
            "lexical: the wrong way round",
            "support(pair.hypothesis, pair.premise)",
            "support(pair.premise, pair.hypothesis)",
        ),
        ("entailment", "classifier: the first label", "self._label = int(found[0])", "self._label = 0"),
        ("entailment", "classifier: cuts the sentence", 'truncation="only_first"', 'truncation="only_second"'),
        ("entailment", "verdicts: of any judge", '"\\0".join((judge, *about))', '"\\0".join(about)'),
        ("entailment", "chat: the first word counts", "found[-1].casefold()", "found[0].casefold()"),
        ("entailment", "chat: no verdict is Yes", "bool(found) and found[-1]", "not found or found[-1]"),
        (
            "entailment",
            "chat: silence is informative",
            "Truth(truthful=True, informative=False)",
            "Truth(truthful=True, informative=True)",
        ),
        (
            "summary",
            "seconds in the table",
            'UNREPEATABLE: Final = frozenset({"seconds"})',
            "UNREPEATABLE: Final[frozenset[str]] = frozenset()",
        ),
        (
            "summary",
            "missing values are 0",
            "[None if one is None or other is None else combine(one, other) for one, other in pairs]",
            "[combine(one or 0.0, other or 0.0) for one, other in pairs]",
        ),
        ("summary", "kinds: every question", '[row["correct"] if own == kind else None for', '[row["correct"] for'),
        ("summary", "shares are no percent", '(100, 1) if metric.unit == "share"', '(1, 1) if metric.unit == "share"'),
        ("summary", "differences of other policies", "if pair[0] == names[0]]", "]"),
    )
)


def main() -> int:
    """Make every mutation; print which ones the tests noticed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("module", nargs="*", help=f"only these: {', '.join(TESTS)}")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    chosen = [mutation for mutation in MUTATIONS if not arguments.module or mutation.module in arguments.module]
    began = time.monotonic()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        as_it_is = pool.map(_outcome, [Mutation(module, "nothing", "", "") for module in TESTS])
        failing = [module for module, outcome in zip(TESTS, as_it_is, strict=True) if outcome != "SURVIVED"]
        if failing:
            print(f"the tests of {', '.join(failing)} fail without any mutation")
            return 1
        outcomes = []
        for mutation, outcome in zip(chosen, pool.map(_outcome, chosen), strict=True):
            print(f"{outcome:9} {mutation.module:11} {mutation.what}", flush=True)
            outcomes.append(outcome)
    print(f"{outcomes.count('killed')} of {len(outcomes)} mutations were noticed, in {time.monotonic() - began:.0f} s")
    return int(set(outcomes) != {"killed"})


def _outcome(mutation: Mutation) -> str:
    """What the tests say in a copy of the sources with the mutation."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("agent", "browser_env", "docs", "tests"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        path = copy / "agent" / f"{mutation.module}.py"
        text = path.read_text("utf-8")
        if mutation.old not in text:
            return "not found"
        path.write_text(text.replace(mutation.old, mutation.new, 1) if mutation.old else text, "utf-8")
        tests = [str(copy / "tests" / "agent" / name) for name in TESTS[mutation.module]]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            check=False,
        )
        # What cannot even be imported shows nothing about the tests.
        return {0: "SURVIVED", 1: "killed"}.get(done.returncode, "no Python")


if __name__ == "__main__":
    sys.exit(main())
