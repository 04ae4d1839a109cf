import random
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, Lfm2Config, Lfm2ForCausalLM, LlamaConfig, LlamaForCausalLM

from agent.models.folder import load_settings, save_settings
from agent.models.reward_model import RewardModelScore, answering_text
from agent.score import Scored
from browser_env.errors import UsageError
from browser_env.records import Settings
from training.base_model.tokenizer import train_tokenizer
from training.reward_model.config import OPTIMIZATION, RewardModelConfig
from training.reward_model.data import GroupSource, parse_part, read_preferences, split, word_replacement
from training.reward_model.measures import figures
from training.reward_model.preferences import Candidate, PreferenceGroup
from training.reward_model.report import RewardModelReport
from training.reward_model.train import train_reward_model
from training.supervised.optimization import Optimization

WORDS = "crows owls ducks larks herons storks sing swim hunt bring hide dive".split()  # noqa: SIM905
SETTINGS = Settings(view_width=40, view_height=4)


def answer(draw: random.Random, word: str) -> str:
    words = draw.choices(WORDS, k=4)
    words.insert(draw.randrange(5), word)
    return " ".join(words)


def make_groups(number: int, *, size: int = 2, ties: bool = False) -> list[PreferenceGroup]:
    """Groups in which an answer with *gold* is best, with *tin* second, and with *lead* worst."""
    draw = random.Random(size)
    groups = []
    for index in range(number):
        metals = [("gold", 2.0), ("lead", 0.0), ("tin", 1.0)][:size]
        draw.shuffle(metals)
        question = f"What do {draw.choice(WORDS)} do, part {index}?"
        candidates = tuple(Candidate(answering_text(question, ()), answer(draw, metal)) for metal, _ in metals)
        groups.append(PreferenceGroup(question, candidates, tuple(1.0 if ties else level for _, level in metals)))
    return groups


def save(folder: Path, kind: str = "llama") -> Path:
    tokenizer = train_tokenizer(
        [f"What do {' '.join(WORDS)} do, part 0123456789? gold lead tin ◼"] * 5, vocab_size=330, max_length=128
    )
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 128,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "initializer_range": 0.1,
        "tie_word_embeddings": True,
    }
    if kind == "llama":
        LlamaForCausalLM(LlamaConfig(**sizes)).save_pretrained(folder)
    else:
        Lfm2ForCausalLM(Lfm2Config(**sizes, layer_types=["conv", "full_attention"])).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    save_settings(folder, SETTINGS)
    return folder


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    torch.set_num_threads(1)
    return {kind: save(tmp_path_factory.mktemp(kind), kind) for kind in ("llama", "lfm2")}


def config(policy: Path, **options: Any) -> RewardModelConfig:
    options = {"batch_size": 16, "learning_rate": 5e-3, "weights": "float32", **options}
    nested = {field.name: options.pop(field.name) for field in fields(Optimization) if field.name in options}
    return RewardModelConfig(policy=str(policy), comparisons=(), optimization=replace(OPTIMIZATION, **nested), **options)


def train(reward_config: RewardModelConfig, out: Path, groups: Sequence[PreferenceGroup], **options: Any) -> RewardModelReport:
    return train_reward_model(reward_config, out, groups=groups, **options)


@pytest.mark.parametrize(("kind", "size"), [("lfm2", 2), ("llama", 3)])
def test_a_reward_model_learns_the_preferences(kind: str, size: int, policies: dict[str, Path], tmp_path: Path) -> None:
    groups = make_groups(320, size=size)
    out = tmp_path / "reward"
    report = train(config(policies[kind], epochs=2), out, groups)
    assert report.figures.accuracy is not None and report.figures.accuracy.mean > 0.9
    assert report.figures.log_loss < 0.4
    assert report.groups + report.figures.groups == 320
    assert report.losses[-1][1] < report.losses[0][1]
    # the saved model has the same figures, without TRL, and the settings of the policy
    score = RewardModelScore.load(out, device="cpu")
    assert score.name == "reward" and load_settings(out) == SETTINGS
    items = [Scored("What do crows do?", (), text) for text in ("crows gold sing dive hide", "crows lead sing dive hide")]
    good, bad = score(items)
    assert good > bad + 1
    learned, held_out = split(groups, config(policies[kind]))
    flat = [[Scored(group.question, (), candidate.answer) for candidate in group.candidates] for group in held_out]
    again = figures(held_out, [score(items) for items in flat])
    assert again.log_loss == pytest.approx(report.figures.log_loss, abs=1e-4)
    # the mean score of the training answers is 0
    scores = score([Scored(group.question, (), candidate.answer) for group in learned for candidate in group.candidates])
    assert sum(scores) / len(scores) == pytest.approx(0, abs=1e-3)
    assert train(config(policies[kind], epochs=2), out, groups) == report  # a finished training is not repeated


def test_a_model_trained_on_ties_gives_equal_scores(policies: dict[str, Path], tmp_path: Path) -> None:
    groups = make_groups(150, ties=True)
    report = train(config(policies["llama"], epochs=6), tmp_path / "ties", groups)
    assert report.figures.accuracy is None and report.ties == report.groups
    score = RewardModelScore.load(tmp_path / "ties", device="cpu")
    differences = []
    for group in groups:
        a, b = score([Scored(group.question, (), candidate.answer) for candidate in group.candidates])
        differences.append(abs(a - b))
    assert sum(differences) / len(differences) < 0.25
    assert report.figures.log_loss == pytest.approx(0.693, abs=0.02)


def test_a_stopped_run_resumes_and_ends_with_the_weights_of_an_uninterrupted_one(
    policies: dict[str, Path], tmp_path: Path
) -> None:
    groups = make_groups(60)
    reward_config = config(policies["llama"], batch_size=8, micro_batch_size=4, epochs=2, save_every=4, eval_every=5)

    def stop(label: str, progress: Any) -> None:
        if progress.step == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(reward_config, tmp_path / "stopped", groups, on_progress=stop)
    steps: list[int] = []
    resumed = train(
        reward_config, tmp_path / "stopped", groups, on_progress=lambda label, progress: steps.append(progress.step)
    )
    whole = train(reward_config, tmp_path / "whole", groups)
    assert steps[0] == 8
    assert resumed == whole
    ours, theirs = (load_file(tmp_path / name / "model.safetensors") for name in ("stopped", "whole"))
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], atol=0, rtol=0, msg=name)


def test_the_learning_curve_ends_with_all_training_questions(policies: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "curve"
    reward_config = config(policies["llama"], learning_curve=True, normalization="shift and scale")
    report = train(reward_config, out, make_groups(50))
    assert [point.share for point in report.curve] == [1 / 8, 1 / 4, 1 / 2, 1]
    assert sorted(point.groups for point in report.curve) == [point.groups for point in report.curve]
    assert report.curve[-1].figures == report.figures
    assert not list(out.glob("**/checkpoint-*"))
    learned, _ = split(make_groups(50), reward_config)
    scores = RewardModelScore.load(out, device="cpu")(
        [Scored(group.question, (), candidate.answer) for group in learned for candidate in group.candidates]
    )
    assert torch.tensor(scores).std(correction=0).item() == pytest.approx(1, abs=1e-3)


def test_parts_share_no_training_question_and_have_the_same_validation(policies: dict[str, Path]) -> None:
    groups = make_groups(200)
    parts = [split(groups, config(policies["llama"], part=part)) for part in ("1/1", "1/2", "2/2")]
    learned = [{group.question for group in part} for part, _ in parts]
    assert not learned[1] & learned[2] and learned[1] | learned[2] == learned[0]
    assert parts[0][1] == parts[1][1] == parts[2][1]


def test_wrong_arguments_are_usage_errors(policies: dict[str, Path], tmp_path: Path) -> None:
    groups = make_groups(40)
    long = replace(groups[0], candidates=tuple(replace(candidate, answer="crows " * 200) for candidate in groups[0].candidates))
    with pytest.raises(UsageError, match=r"2 of .* answers are longer than the 128 tokens"):
        train(config(policies["llama"]), tmp_path / "long", [long, *groups[1:]])
    with pytest.raises(UsageError, match="of 1 comparisons none is left for"):
        train(config(policies["llama"]), tmp_path / "one", groups[:1])
    with pytest.raises(UsageError, match="--part"):
        parse_part("3/2")
    with pytest.raises(UsageError, match="cannot be loaded as a language model"):
        train(config(tmp_path / "nothing"), tmp_path / "none", groups)
    with pytest.raises(UsageError, match="is not a file; pass a file of comparisons"):
        list(read_preferences(tmp_path / "missing.jsonl"))


def test_words_are_replaced_consistently_in_a_group_and_anew_in_each_epoch(policies: dict[str, Path]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(policies["llama"])
    question = "What do crows bring?"
    group = PreferenceGroup(question, (Candidate(question, "crows bring gold"), Candidate(question, "owls hunt")), (1.0, 0.0))
    groups = [group, *make_groups(20)]
    changed = word_replacement(groups, 1.0)(group, random.Random(1))
    assert changed.levels == group.levels
    bird = changed.candidates[0].text.split()[2]
    assert bird != "crows"
    assert changed.candidates[1].text.split()[2] == changed.candidates[0].answer.split()[0] == bird
    assert changed.candidates[1].answer.split()[0] not in (bird, "owls")
    assert word_replacement(groups, 0.0)(group, random.Random(1)) == group

    source = GroupSource(groups, tokenizer, context=None, name="x", augment=word_replacement(groups, 1.0))
    first, again, later = (source.batch([0, 1], epoch)["input_ids"] for epoch in (0, 0, 1))
    assert torch.equal(first, again)
    assert first.shape != later.shape or not torch.equal(first, later)
