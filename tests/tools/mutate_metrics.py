"""Mutation tests of the metrics: ``python tests/tools/mutate_metrics.py``.

Each mutation of `MUTATIONS` is made in a copy of the sources, in which the tests of that module are run. A mutation that no
test notices *survives* and shows that a test is missing. The exit code is 1 if a mutation survives, or if its text is not in
the module any more. A run takes several minutes, so it is not part of the test suite.
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


class Module(NamedTuple):
    """A module to mutate, and the files of its tests."""

    path: str
    tests: tuple[str, ...]


_METRICS: Final = "tests/agent/evaluation/test_metrics.py"
_JUDGES: Final = "tests/agent/evaluation/test_judges.py"
MODULES: Final = {
    "answers": Module("agent/evaluation/answers.py", (_METRICS,)),
    "evidence": Module("agent/evaluation/evidence.py", (_METRICS,)),
    "citations": Module("agent/evaluation/citations.py", (_METRICS,)),
    "behavior": Module("agent/evaluation/behavior.py", (_METRICS,)),
    "metrics": Module("agent/evaluation/metrics.py", (_METRICS,)),
    "intervals": Module("agent/intervals.py", ("tests/agent/test_intervals.py",)),
    "citation_marks": Module("browser_env/records/citations.py", ("tests/browser_env/records/test_citations.py", _METRICS)),
    "judges": Module("agent/evaluation/judges.py", (_JUDGES,)),
    "language_inference": Module("agent/evaluation/language_inference.py", (_JUDGES,)),
    "verdicts": Module("agent/evaluation/verdicts.py", (_JUDGES,)),
    "chat_judge": Module("agent/evaluation/chat_judge.py", (_JUDGES,)),
    "summary": Module("agent/evaluation/summary.py", ("tests/agent/evaluation/test_benchmark.py",)),
}


class Mutation(NamedTuple):
    """A change of one place in a module."""

    module: str
    """A key of `MODULES`."""
    effect: str
    """The wrong behavior that it causes."""
    old: str
    new: str


_CHANGES: Final = {
    "answers": (
        ("SQuAD: case is kept", "for character in text.lower() if", "for character in text if"),
        ("SQuAD: punctuation is kept", "if character not in string.punctuation)", ")"),
        ("SQuAD: articles are kept", 'r"\\b(a|an|the)\\b", " "', 'r"\\b(a|an|the)\\b", r"\\1"'),
        ("SQuAD: articles inside words are removed", 'r"\\b(a|an|the)\\b"', 'r"(a|an|the)"'),
        (
            "exact match: an empty answer matches",
            "map(squad_normal_form, accepted) if answer else False",
            "map(squad_normal_form, accepted)",
        ),
        (
            "exact match: citations are compared too",
            "return squad_normal_form(without_citations(answer)) in",
            "return squad_normal_form(answer) in",
        ),
        (
            "F1: only the first alias counts",
            "return max((_overlap_f1(given, squad_normal_form(text).split()) for text in accepted), default=0.0)",
            "return next((_overlap_f1(given, squad_normal_form(text).split()) for text in accepted), 0.0)",
        ),
        (
            "F1: repeated words count again",
            "common = (Counter(given) & Counter(wanted)).total()",
            "common = sum(word in wanted for word in given)",
        ),
        (
            "F1: precision instead of F1",
            "return 2 * common / (given + wanted) if common else 0.0",
            "return common / given if common else 0.0",
        ),
        ("contains: case counts", "text = without_citations(answer).casefold()", "text = without_citations(answer)"),
        (
            "contains: inside other words",
            'rf"(?<!\\w){re.escape(expected.casefold())}(?!\\w)"',
            "re.escape(expected.casefold())",
        ),
        ("contains: a point matches any character", "re.escape(expected.casefold())", "expected.casefold()"),
        ("contains: a name is split into words", "if _NAME.fullmatch(expected)", "if expected.isalpha()"),
        ("contains: words in any order", "row[start : start + size] == sought for start", "set(sought) <= set(row) for start"),
        ("contains: not at the end of the answer", "range(len(row) - size + 1)", "range(len(row) - size)"),
        ("contains: an empty answer is contained in every text", "return size > 0 and any(", "return any("),
        ("ROUGE: case is kept", 'r"[^\\W_]+", text.lower()', 'r"[^\\W_]+", text'),
        ("ROUGE: underscores join words", 'r"[^\\W_]+", text.lower()', 'r"\\w+", text.lower()'),
        (
            "ROUGE-L: words in any order",
            "return _f1(_common_subsequence(given, wanted), len(given), len(wanted))",
            "return _overlap_f1(given, wanted)",
        ),
        (
            "ROUGE-L: common substring",
            "row[index] = diagonal + 1 if word == other else max(above, row[index - 1])",
            "row[index] = diagonal + 1 if word == other else 0",
        ),
        (
            "ROUGE-L: a word counts twice",
            "row[index] = diagonal + 1 if word == other",
            "row[index] = row[index - 1] + 1 if word == other",
        ),
        (
            "TruthfulQA: the least similar answer counts",
            "max((rouge(text, other) for other in others), default=0.0)",
            "min((rouge(text, other) for other in others), default=0.0)",
        ),
        ("TruthfulQA: difference reversed", "return correct - incorrect", "return incorrect - correct"),
        ("TruthfulQA: incorrect answers are ignored", "return correct - incorrect", "return correct"),
        (
            "TruthfulQA: citations count as words",
            "text = without_citations(answer)\n    correct, incorrect",
            "text = answer + ' 1'\n    correct, incorrect",
        ),
    ),
    "evidence": (
        ("evidence: on any page", " if _is_page(reference.url, page.url))", ")"),
        ("evidence: a URL fragment is another page", "return urldefrag(url)[0] == urldefrag(other)[0]", "return url == other"),
        ("evidence: the final punctuation is needed", 'sentence.rstrip(" .:;!?…")', "sentence"),
        (
            "evidence: matched byte for byte",
            "any(normalize(reference.extract).find(needle) is not None for",
            "any(needle in reference.extract for",
        ),
        ("evidence: one sentence is enough", "return sum(is_cited) / len(is_cited)", "return float(any(is_cited))"),
        (
            "evidence: references that are not cited count",
            "return [references[number - 1] for number in cited_numbers(answer) if 1 <= number <= len(references)]",
            "return list(references)",
        ),
        (
            "evidence: citations count from 0",
            "[references[number - 1] for number in cited_numbers(answer) if 1 <= number",
            "[references[number] for number in cited_numbers(answer) if 0 <= number + 1",
        ),
    ),
    "citations": (
        (
            "ALCE: a sentence without citations is entailed",
            "return [next(verdicts) if cited else False for",
            "return [next(verdicts) if cited else True for",
        ),
        (
            "ALCE: unknown numbers are ignored",
            "exist = all(1 <= number <= len(references) for number in numbers)",
            "numbers = tuple(n for n in numbers if 1 <= n <= len(references))\n    exist = True",
        ),
        ("ALCE: number 0 is the last reference", "exist = all(1 <= number", "exist = all(0 <= number"),
        ("ALCE: four citations", "MAX_CITATIONS: Final = 3", "MAX_CITATIONS: Final = 4"),
        ("ALCE: two citations", "MAX_CITATIONS: Final = 3", "MAX_CITATIONS: Final = 2"),
        ("ALCE: irrelevant citations count", " - sum(without)\n", "\n"),
        (
            "ALCE: irrelevant if it does not entail alone",
            "relevant = sum(len(sentence.cited) for sentence, holds in zip(sentences, entailed, strict=True) if holds) - sum(without)",
            "relevant = sum(len(sentence.cited) for sentence, holds in zip(sentences, entailed, strict=True) if holds) - len(doubtful)",
        ),
        (
            "ALCE: irrelevant if the others entail it",
            "doubtful = [pair for pair, holds in zip(several, alone, strict=True) if not holds]",
            "doubtful = several",
        ),
        (
            "ALCE: precision of sentences without recall",
            "for sentence, holds in zip(sentences, entailed, strict=True) if holds) -",
            "for sentence, holds in zip(sentences, entailed, strict=True)) -",
        ),
        (
            "ALCE: precision over entailed sentences only",
            "citations = sum(sentence.num_citations for sentence in sentences)",
            "citations = sum(len(s.cited) for s, holds in zip(sentences, entailed, strict=True) if holds)",
        ),
        (
            "ALCE: recall over cited sentences only",
            "recall=sum(entailed) / len(sentences) if sentences else 0.0",
            "recall=sum(entailed) / max(1, sum(bool(s.cited) for s in sentences))",
        ),
        ("ALCE: an empty answer has recall 1", "len(sentences) if sentences else 0.0", "len(sentences) if sentences else 1.0"),
        (
            "ALCE: an answer without citations has precision 1",
            "relevant / citations if citations else 0.0",
            "relevant / citations if citations else 1.0",
        ),
        (
            "ALCE: premises without titles",
            'return f"Title: {reference.title}\\n{reference.extract}"',
            "return reference.extract",
        ),
        (
            "ALCE: citations stay in the hypothesis",
            "return _Cited(without_citations(sentence), cited,",
            "return _Cited(sentence, cited,",
        ),
    ),
    "behavior": (
        (
            "behavior: no answer counts as unsupported",
            "float(bool(answer) and not cited_references(answer, references))",
            "float(not cited_references(answer, references))",
        ),
        ("behavior: any cited number is support", "not cited_references(answer, references))", "not cited_numbers(answer))"),
        ("behavior: invalid actions count as their kind", 'yield "invalid" if step.problem else', "yield"),
        ("behavior: the answer counts as an action", 'if step.phase == "browsing":', "if step.phase:"),
        (
            "behavior: the completion is parsed instead of the command",
            "step.completion if step.command is None else step.command))",
            "step.completion))",
        ),
        (
            "behavior: share of valid actions",
            'kinds["invalid"] / actions if actions else None',
            '1 - kinds["invalid"] / actions if actions else None',
        ),
        (
            "behavior: share of invalid actions is 0 without actions",
            'kinds["invalid"] / actions if actions else None',
            'kinds["invalid"] / max(1, actions)',
        ),
        (
            "behavior: tokens counted although some are missing",
            "if tokens and None not in tokens else None",
            "if tokens else None",
        ),
        (
            "behavior: a failed episode has an ending",
            "float(episode.failure is None and episode.ending == ending)",
            "float(episode.ending == ending)",
        ),
    ),
    "metrics": (
        ("correct: unanswerable questions need an answer", "return not answer\n", "return bool(answer)\n"),
        (
            "correct: part of the evidence is enough",
            "cited_references(answer, references)) == 1\n    return",
            "cited_references(answer, references)) > 0\n    return",
        ),
        (
            "correct: ties are correct",
            "rouge_difference(rouge_l, answer, question) > 0",
            "rouge_difference(rouge_l, answer, question) >= 0",
        ),
        ("correct: names need evidence", " and question.kind != NAMED:", ":"),
        ("correct: wrong where no answer is known", "if question.answers else None", "if question.answers else False"),
        ("correct: a failed episode can be correct", "float(correct and not failed)", "float(correct)"),
        ("failed: the answer counts", 'return "" if episode.failure else', "return"),
        (
            "failed: the references count",
            "references = () if episode.failure else episode.references",
            "references = episode.references",
        ),
        (
            "ALCE: unanswerable questions are scored",
            "if question.kind == UNANSWERABLE:\n        return {",
            "if question.kind == UNANSWERABLE and answer:\n        return {",
        ),
        (
            "TruthfulQA: true or informative",
            "verdict.truthful and verdict.informative",
            "verdict.truthful or verdict.informative",
        ),
        ("TruthfulQA: truthful reported as informative", "float(verdict.informative),", "float(verdict.truthful),"),
    ),
    "intervals": (
        ("90 % intervals", "CONFIDENCE = 0.95", "CONFIDENCE = 0.90"),
        ("99 % intervals", "CONFIDENCE = 0.95", "CONFIDENCE = 0.99"),
        (
            "resamples are too small",
            "generator.choices(questions, k=n)",
            "generator.choices(questions, k=max(1, n // 2)) + questions[: n - max(1, n // 2)]",
        ),
        ("drawn without replacement", "generator.choices(questions, k=n)", "generator.sample(questions, k=n)"),
        ("interval ends are not symmetrical", "column_sums[-1 - tail]", "column_sums[-tail]"),
        (
            "the lower end is the minimum",
            "(column_sums[tail], column_sums[-1 - tail])",
            "(column_sums[0], column_sums[-1 - tail])",
        ),
        ("bit fields overflow", ".bit_length() + 1\n", ".bit_length() // 2\n"),
        ("values are rounded to integers", "return round(value * _SCALE)", "return round(value) * _SCALE"),
        ("the minimum is not added back", "(total >> width * index & bits) + n * low", "(total >> width * index & bits)"),
        (
            "mean over one question less",
            "Estimate(math.fsum(column) / n, low, high, n)",
            "Estimate(math.fsum(column) / max(1, n - 1), low, high, n)",
        ),
        ("the seed is ignored", "generator = random.Random(seed)", "generator = random.Random()"),
        ("difference reversed", "return first - second\n", "return second - first\n"),
        (
            "preference: a tie counts as won",
            "return 0.5 + 0.5 * ((first > second) - (first < second))",
            "return float(first >= second)",
        ),
        (
            "preference: no answer counts as a tie",
            "return 0.5 + 0.5 * ((first is not None) - (second is not None))",
            "return 0.5",
        ),
    ),
    "citation_marks": (
        ("four digits are a citation", "[0-9]{1,3}(?:", "[0-9]{1,4}(?:"),
        (
            "citations in code count",
            "if numbers and not any(start <= match.start() < end for start, end in code):",
            "if numbers:",
        ),
        ("only the ends of a range count", "numbers.extend(range(ends[0], ends[-1] + 1))", "numbers.extend(ends)"),
        ("numbers without a reference are known", "if 1 <= number <= len(references))", "if 1 <= number)"),
        (
            "support: one common word is enough",
            "return (claimed & given).total() / claimed.total() if claimed else 0.0",
            "return float(bool(claimed & given))",
        ),
        (
            "support: repetitions are ignored",
            "return (claimed & given).total() / claimed.total() if claimed else 0.0",
            "return len(claimed & given) / len(claimed) if claimed else 0.0",
        ),
        ("support: negations are stop words", "if word not in STOP_WORDS or word in _NEGATIONS)", "if word not in STOP_WORDS)"),
        ("a citation after the point belongs to the next sentence", "(?:[ \\t]*{_LIST})*(?:", "(?:"),
    ),
    "judges": (
        ("lexical: half of the words are enough", "THRESHOLD: Final = 0.8", "THRESHOLD: Final = 0.5"),
        ("lexical: all words are needed", "THRESHOLD: Final = 0.8", "THRESHOLD: Final = 1.0"),
        (
            "lexical: premise and hypothesis swapped",
            "support(pair.hypothesis, pair.premise)",
            "support(pair.premise, pair.hypothesis)",
        ),
    ),
    "language_inference": (
        ("classifier: the first label", "self._label = int(entailed[0])", "self._label = 0"),
        ("classifier: cuts the hypothesis", 'truncation="only_first"', 'truncation="only_second"'),
    ),
    "verdicts": (("verdicts: shared by all judges", "return stable_hash(judge, *about)", "return stable_hash(*about)"),),
    "chat_judge": (
        ("chat: the first Yes or No counts", "words[-1].casefold()", "words[0].casefold()"),
        ("chat: a reply without a verdict is Yes", "bool(words) and words[-1]", "not words or words[-1]"),
        (
            "chat: an empty answer is informative",
            "Truth(truthful=True, informative=False)",
            "Truth(truthful=True, informative=True)",
        ),
    ),
    "summary": (
        (
            "seconds in the table",
            'UNREPEATABLE: Final = frozenset({"seconds"})',
            "UNREPEATABLE: Final[frozenset[str]] = frozenset()",
        ),
        (
            "missing values count as 0",
            "[None if a is None or b is None else combine(a, b) for a, b in pairs]",
            "[combine(a or 0.0, b or 0.0) for a, b in pairs]",
        ),
        (
            "kinds: every question counts for each kind",
            '[row["correct"] if row_kind == kind else None for',
            '[row["correct"] for',
        ),
        ("shares are not in percent", '(100, 1) if metric.unit == "share"', '(1, 1) if metric.unit == "share"'),
        ("differences between other policies", "if pair[0] == names[0]]", "]"),
    ),
}
MUTATIONS: Final = tuple(Mutation(module, *change) for module, changes in _CHANGES.items() for change in changes)


def main() -> int:
    """Run the tests on every mutation and print which ones they noticed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("module", nargs="*", choices=[*MODULES, []], help="modules to mutate; default: all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="number of mutations tested at a time")
    arguments = parser.parse_args()
    modules = arguments.module or list(MODULES)
    mutations = [mutation for mutation in MUTATIONS if mutation.module in modules]
    began = time.monotonic()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        unchanged = list(pool.map(_outcome, [Mutation(module, "nothing", "", "") for module in modules]))
        if failing := [module for module, outcome in zip(modules, unchanged, strict=True) if outcome != "SURVIVED"]:
            print(f"the tests of {', '.join(failing)} fail without any mutation")
            return 1
        outcomes = []
        for mutation, outcome in zip(mutations, pool.map(_outcome, mutations), strict=True):
            print(f"{outcome:9} {mutation.module:18} {mutation.effect}", flush=True)
            outcomes.append(outcome)
    print(f"{outcomes.count('killed')} of {len(outcomes)} mutations were noticed, in {time.monotonic() - began:.0f} s")
    return int(set(outcomes) != {"killed"})


def _outcome(mutation: Mutation) -> str:
    """The result of the tests in a copy of the sources with a mutation."""
    module = MODULES[mutation.module]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("agent", "browser_env", "docs", "tests", "training", "recorder"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        path = copy / module.path
        text = path.read_text("utf-8")
        if mutation.old not in text:
            return "not found"
        path.write_text(text.replace(mutation.old, mutation.new, 1) if mutation.old else text, "utf-8")
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-x",
                "-q",
                "-p",
                "no:cacheprovider",
                *(str(copy / name) for name in module.tests),
            ],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            check=False,
        )
        # Other exit codes mean that the module cannot be imported, so the tests have not run.
        return {0: "SURVIVED", 1: "killed"}.get(done.returncode, "no Python")


if __name__ == "__main__":
    sys.exit(main())
