"""The NumPy implementation of the shipped models gives the results of transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Lfm2Config, Lfm2ForCausalLM

from agent.decoding.constraint import Constraint
from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from agent.models.lfm2 import Cache, Lfm2, read_safetensors
from agent.models.reward_model import RewardModelScore, last_outputs
from agent.models.scalar_model import load_scalar_model
from agent.models.shipped import LEARNED_FOLDER, REWARD_FOLDER
from agent.models.small_model import SmallModel, SmallScore, Tokenizer, sample
from agent.policy import Completion, Prompt
from agent.question_sets.pydoc.questions import PythonDocsQuestions
from agent.rollouts.rollout import rollout
from agent.score import Scored
from browser_env.errors import PolicyError, UsageError
from browser_env.observation import observe
from browser_env.offline_web.collection import Collection
from browser_env.records import Question, Reference
from browser_env.state import BrowserState

TEXTS = (
    "♦Question\nWhat does os.path do?\n\n♦Quotes\n",
    "a  b\t<|end|> é 漢字 x_y.z(1)\x02",
    "",
    "Quote: one━two\n",
    "◼【3†a】",
)


@pytest.fixture(scope="module", params=[("float32", 4, 4, True), ("bfloat16", 4, 2, True), ("float32", 4, 1, False)], ids=str)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model with large weights, so that every part has an effect."""
    dtype, heads, key_heads, tied = request.param
    torch.manual_seed(0)
    model = Lfm2ForCausalLM(
        Lfm2Config(
            vocab_size=60,
            hidden_size=32,
            intermediate_size=48,
            block_auto_adjust_ff_dim=False,
            num_hidden_layers=4,
            num_attention_heads=heads,
            num_key_value_heads=key_heads,
            layer_types=["conv", "full_attention", "conv", "full_attention"],
            max_position_embeddings=64,
            initializer_range=0.3,
            tie_word_embeddings=tied,
        )
    )
    for name, weight in model.named_parameters():
        if "norm" in name:
            torch.nn.init.uniform_(weight, 0.5, 1.5)
    out: Path = tmp_path_factory.mktemp("model")
    model.to(getattr(torch, dtype)).save_pretrained(out)
    return out


def test_logits_equal_those_of_transformers_for_all_splits_of_the_tokens(folder: Path) -> None:
    theirs: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    theirs.eval()
    ids = torch.randint(0, 60, (40,), generator=torch.Generator().manual_seed(1)).tolist()
    with torch.inference_mode():
        expected = theirs(torch.tensor([ids])).logits[0].numpy()
    ours = Lfm2.load(folder)
    for sizes in ([40], [1] * 40, [25, 1, 1, 13], [2, 38]):
        cache, start = Cache(), 0
        for size in sizes:
            logits = ours.logits(ids[start : start + size], cache)
            start += size
            np.testing.assert_allclose(logits, expected[start - 1], atol=2e-4, rtol=1e-4)
        assert cache.length == 40


def test_the_scalar_output_equals_that_of_transformers(folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(2)
    theirs = load_scalar_model(str(folder)).eval()
    theirs.save_pretrained(tmp_path)
    ids = torch.randint(0, 60, (30,), generator=torch.Generator().manual_seed(3)).tolist()
    with torch.inference_mode():
        expected = last_outputs(theirs, [ids]).item()
    assert Lfm2.load(tmp_path).output(ids) == pytest.approx(expected, abs=1e-4)


def test_scores_of_the_shipped_reward_model_equal_those_with_torch() -> None:
    reference = Reference(
        title="shutil", url="https://x.org/", extract="rmtree(path) Delete a tree.", page="p", start=0, end=27
    )
    answers = ("rmtree deletes a tree [1].", "Nobody knows.", "")
    items = [Scored("What does shutil.rmtree do?", (reference,), answer) for answer in answers]
    expected = RewardModelScore.load(REWARD_FOLDER, device="cpu", dtype=torch.float32)(items)
    assert SmallScore(REWARD_FOLDER, name="learned")(items) == pytest.approx(expected, abs=1e-3)
    assert len(set(expected)) == 3


def test_weights_equal_those_read_by_transformers(folder: Path) -> None:
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict()
    for name, tensor in read_safetensors(folder / "model.safetensors").items():
        np.testing.assert_array_equal(tensor, theirs[name].numpy())


@pytest.mark.parametrize("text", TEXTS)
def test_the_tokenizer_agrees_with_that_of_transformers(text: str) -> None:
    ours, theirs = Tokenizer(LEARNED_FOLDER), AutoTokenizer.from_pretrained(LEARNED_FOLDER)
    ids = theirs(text, split_special_tokens=True, verbose=False)["input_ids"]
    assert ours(text)["input_ids"] == ids
    assert (len(ours), ours.eos_token_id, sorted(ours.all_special_ids)) == (
        len(theirs),
        theirs.eos_token_id,
        sorted(theirs.all_special_ids),
    )
    ids = [*ids, theirs.eos_token_id]
    assert ours.convert_ids_to_tokens(ids) == theirs.convert_ids_to_tokens(ids)
    assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


class Both:
    """A policy that asks two policies, records both completions and returns the first."""

    name = "both"

    def __init__(self, first: SmallModel, second: LanguageModel) -> None:
        self._policies = first, second
        self.completions: list[tuple[Completion | PolicyError, ...]] = []

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        pairs = list(zip(*(policy.complete(prompts) for policy in self._policies), strict=True))
        self.completions += pairs
        return [pair[0] for pair in pairs]


def test_greedy_completions_equal_those_of_transformers(small_collection: Path) -> None:
    options = SamplingOptions(temperature=0.0, max_command_tokens=64, max_answer_tokens=64)
    ours = SmallModel(LEARNED_FOLDER, name="learned", options=options)
    theirs = LanguageModel.load(str(LEARNED_FOLDER), name="learned", options=options, dtype=torch.float32)
    both = Both(ours, theirs)
    with Collection.open(small_collection) as web:
        questions = PythonDocsQuestions(web).questions()[:6]
        list(rollout(both, web, questions, ours.settings or pytest.fail("no settings"), batch_size=6, threads=1))
    same = sum(first == second for first, second in both.completions)
    assert len(both.completions) >= 20
    assert same >= 0.95 * len(both.completions)  # rounding decides between two equally probable tokens


def test_samples_depend_only_on_their_seed() -> None:
    policy = SmallModel(
        LEARNED_FOLDER, name="learned", options=SamplingOptions(temperature=9.0, free=True, max_command_tokens=12)
    )
    state = BrowserState(Question(id="1", text="What does os.path.join do?"), policy.settings or pytest.fail("no settings"))
    prompts = [Prompt(observe(state), state, seed) for seed in (1, 2, 3, 1)]
    completions = policy.complete(prompts)
    assert completions[0] == completions[3] == policy.complete(prompts[:1])[0]
    assert len({completion.text for completion in completions if isinstance(completion, Completion)}) > 1


def test_tokens_are_sampled_by_their_probability_among_the_allowed() -> None:
    logits = np.array([5.0, 1.0, 2.0, 3.0], np.float32)
    allowed = np.array([1, 3])
    generator = np.random.default_rng(0)
    samples = [sample(logits, allowed, 1.0, generator) for _ in range(4000)]
    share = 1 / (1 + np.exp(-2.0))
    assert np.mean([token == 3 for token, _ in samples]) == pytest.approx(share, abs=0.03)
    assert {token: pytest.approx(np.exp(logprob)) for token, logprob in samples} == {3: share, 1: 1 - share}
    assert sample(logits, None, 0.0, generator)[0] == 0


def test_files_that_cannot_be_read_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not contain a model that can be read"):
        Lfm2.load(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    with pytest.raises(UsageError, match="a model of type 'llama' needs torch"):
        Lfm2.load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"short")
    with pytest.raises(UsageError, match="does not contain a model that can be read"):
        Lfm2.load(tmp_path)
    with pytest.raises(UsageError, match="does not contain a tokenizer that can be read"):
        Tokenizer(tmp_path)


def test_constrained_decoding_works_with_the_light_tokenizer() -> None:
    policy = SmallModel(LEARNED_FOLDER, name="learned")
    assert isinstance(policy.constraint, Constraint)
    assert policy.constraint.trie.has_word_marks
