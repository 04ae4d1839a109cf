import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent.evaluation.judge_registry import make_entailment, make_truth_judge
from agent.evaluation.judges import Lexical, Pair, Truth
from agent.evaluation.language_inference import LanguageInference
from agent.evaluation.verdicts import CachedEntailment, Verdicts
from browser_env.errors import PolicyError, RecordError, UsageError
from browser_env.records import Question

SOURCE = "Title: Crows\nCrows bring shiny gifts to people who feed them."
LEXICAL = [
    ("verbatim", SOURCE, "Crows bring shiny gifts to people who feed them.", True),
    ("inflected", SOURCE, "A crow brings a shiny gift.", True),
    ("four-of-five-words", SOURCE, "Crows bring shiny gifts daily.", True),
    ("three-of-four-words", SOURCE, "Crows bring large gifts.", False),
    ("negated", SOURCE, "Crows bring no gifts.", False),
    ("no-words", SOURCE, "...", False),
    ("no-source", "", "Crows bring gifts.", False),
]


@pytest.mark.parametrize(("premise", "hypothesis", "expected"), [case[1:] for case in LEXICAL], ids=[c[0] for c in LEXICAL])
def test_the_lexical_judge_requires_four_of_five_words(premise: str, hypothesis: str, expected: bool) -> None:
    assert Lexical().entails([Pair(premise, hypothesis)]) == [expected]


def test_the_lexical_judge_is_named_with_its_threshold() -> None:
    assert make_entailment("lexical", Verdicts(Path("unused"))).name == "lexical, 80% of words"


# ------------------------------------------------------------------------------------------------------------- verdicts


class Counting:
    name = "counting"

    def __init__(self) -> None:
        self.asked: list[Pair] = []

    def entails(self, pairs: Sequence[Pair]) -> list[bool]:
        self.asked.extend(pairs)
        return [pair.premise == pair.hypothesis for pair in pairs]


SAME, OTHER = Pair("a", "a"), Pair("a", "b")


def test_a_judge_is_asked_once_about_a_pair_over_all_runs(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    assert CachedEntailment(first, Verdicts(tmp_path / "v.jsonl")).entails([SAME, OTHER, SAME]) == [True, False, True]
    assert CachedEntailment(second, Verdicts(tmp_path / "v.jsonl")).entails([OTHER, SAME]) == [False, True]
    assert (first.asked, second.asked) == ([SAME, OTHER], [])


def test_the_verdicts_of_one_judge_are_not_those_of_another(tmp_path: Path) -> None:
    verdicts = Verdicts(tmp_path / "v.jsonl")
    verdicts.add("first", SAME, True)
    verdicts.add("second", SAME, False)
    assert (verdicts.get("first", SAME), verdicts.get("second", SAME), verdicts.get("third", SAME)) == (True, False, None)


def test_an_incomplete_verdict_is_dropped_and_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    verdicts = Verdicts(path)
    verdicts.add("judge", SAME, True, "Yes \ud800")
    verdicts.add("judge", OTHER, False)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    again = Verdicts(path)
    assert (again.get("judge", SAME), again.get("judge", OTHER)) == (True, None)
    again.add("judge", OTHER, False)
    assert path.read_bytes() == whole


def test_an_invalid_verdict_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text('{"judge": "j", "about": ["a"], "verdict": true, "reply": null}\n{"judge": "j"}\n')
    with pytest.raises(RecordError, match=r"v\.jsonl:2: is not a verdict"):
        Verdicts(path)


# --------------------------------------------------------------------------------------------------------------- models


@pytest.fixture(scope="module")
def words_tokenizer() -> Any:
    """A word tokenizer with the special tokens of BERT and T5."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "</s>", "<unk>", "[CLS]", "[SEP]"]
    known = [*special, "1", "0", "premise", "hypothesis", ":", "crows", "bring", "gifts", "fly"]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(known)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="[CLS] $A [SEP] $B:1 [SEP]", special_tokens=[("</s>", 1), ("[CLS]", 3), ("[SEP]", 4)]
    )
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512)


def classifier(labels: dict[int, str], bias: int) -> Any:
    """A tiny random BERT that prefers one label."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes: Any = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=16, max_position_embeddings=32, id2label=labels, **sizes)
    model: Any = BertForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.bias[bias] = 100.0
    return model


NLI = {0: "contradiction", 1: "ENTAILMENT", 2: "neutral"}


@pytest.mark.parametrize(("bias", "expected"), [(0, False), (1, True), (2, False)], ids=list(NLI.values()))
def test_a_classifier_is_read_by_its_label(tmp_path: Path, words_tokenizer: Any, bias: int, expected: bool) -> None:
    classifier(NLI, bias).save_pretrained(tmp_path / "nli")
    words_tokenizer.save_pretrained(tmp_path / "nli")
    judge = make_entailment(f"hf:{tmp_path / 'nli'}", Verdicts(tmp_path / "v.jsonl"))
    assert judge.name == "hf:nli"
    assert judge.entails([Pair("crows " * 500, "crows fly")] * 2 + [Pair("[SEP] crows", "")]) == [expected] * 3
    assert len((tmp_path / "v.jsonl").read_text().splitlines()) == 2


def test_a_classifier_sees_the_end_of_the_sentence_and_cuts_the_source(words_tokenizer: Any) -> None:
    seen: list[list[int]] = []
    model = classifier(NLI, 1)
    forward = model.forward

    def note(**inputs: Any) -> Any:
        seen.extend(inputs["input_ids"].tolist())
        return forward(**inputs)

    model.forward = note
    judge = LanguageInference(model, words_tokenizer, name="nli")
    sentence = "gifts fly bring gifts fly bring gifts fly bring gifts fly bring"
    assert judge.entails([Pair("crows " * 500, "gifts fly"), Pair("crows " * 10 + "fly " * 8, sentence)]) == [True, True]
    first, second = seen
    assert len(first) == len(second) == 30
    assert words_tokenizer.decode(first[-4:]) == "[SEP] gifts fly [SEP]"
    assert words_tokenizer.decode(second).endswith(f"[SEP] {sentence} [SEP]")


def test_a_sentence_that_a_classifier_cannot_read_whole_is_not_entailed(words_tokenizer: Any) -> None:
    judge = LanguageInference(classifier(NLI, 1), words_tokenizer, name="nli")
    long = "gifts " * 500
    assert judge.entails([Pair("crows", long), Pair("crows", "fly"), Pair(long, long)]) == [False, True, False]
    assert judge.entails([Pair("crows", long)]) == [False]


def test_a_classifier_without_an_entailment_label_is_refused(words_tokenizer: Any) -> None:
    with pytest.raises(
        UsageError, match="cats cannot judge entailment: none of its labels begins with entail, they are cat, dog"
    ):
        LanguageInference(classifier({0: "cat", 1: "dog"}, 0), words_tokenizer, name="cats")


@pytest.fixture(scope="module")
def true_model() -> Any:
    """A tiny random T5."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    sizes: Any = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2, "decoder_start_token_id": 0}
    config = T5Config(vocab_size=16, pad_token_id=0, eos_token_id=1, **sizes)
    return T5ForConditionalGeneration(config)


@pytest.mark.parametrize(("written", "expected"), [("1", True), ("0", False), ("fly", False)])
def test_an_encoder_decoder_entails_if_it_writes_1(true_model: Any, words_tokenizer: Any, written: str, expected: bool) -> None:
    import torch

    read: list[str] = []
    word = words_tokenizer.convert_tokens_to_ids(written)

    def generate(input_ids: Any, attention_mask: Any, **options: Any) -> Any:
        read.extend(words_tokenizer.batch_decode(input_ids * attention_mask, skip_special_tokens=True))
        return torch.tensor([[0, word, 1]] * len(input_ids))

    judge = LanguageInference(true_model, words_tokenizer, name="true")
    assert judge.entails([Pair("crows fly", "crows")]) in ([True], [False])  # the model itself, whatever it says
    true_model.generate, kept = generate, true_model.generate
    try:
        assert judge.entails([Pair("crows fly", "crows"), Pair("", "gifts")]) == [expected, expected]
    finally:
        true_model.generate = kept
    assert read == ["premise : crows fly hypothesis : crows", "premise : hypothesis : gifts"]


def test_an_encoder_decoder_is_loaded_as_such(tmp_path: Path, true_model: Any, words_tokenizer: Any) -> None:
    true_model.save_pretrained(tmp_path / "true")
    words_tokenizer.save_pretrained(tmp_path / "true")
    judge = LanguageInference.load(str(tmp_path / "true"))
    assert judge.name == "hf:true"
    assert judge.entails([]) == []
    assert len(judge.entails([Pair("crows", "fly")] * 20)) == 20


# --------------------------------------------------------------------------------------------------------- chat servers


def says(server: Any, *replies: str) -> None:
    server.answers = [partial(_say, reply) for reply in replies]


def _say(reply: str, exchange: Any) -> None:
    exchange.say(reply)


REPLIES = [
    ("yes", "Yes", True),
    ("no", "No.", False),
    ("lower-case", "yes, all of it", True),
    ("last-one-counts", "At first sight no, but on reflection: **Yes**", True),
    ("inside-a-word", "Nothing known. Yesterday!", False),
    ("neither", "It depends.", False),
]


@pytest.mark.parametrize(("reply", "expected"), [case[1:] for case in REPLIES], ids=[case[0] for case in REPLIES])
def test_a_chat_model_says_yes_or_no_once(chat_server: Any, tmp_path: Path, reply: str, expected: bool) -> None:
    says(chat_server, reply)
    for _ in range(2):
        judge = make_entailment("openai:m", Verdicts(tmp_path / "v.jsonl"), base_url=chat_server.url, environ={})
        assert judge.entails([Pair("crows fly", "they fly")]) == [expected]
    assert judge.name == "openai:m"
    (request,) = chat_server.requests
    assert request.body["messages"][1]["content"] == "Source:\ncrows fly\n\nClaim:\nthey fly"
    assert request.body["temperature"] == 0
    (line,) = (tmp_path / "v.jsonl").read_text().splitlines()
    assert (json.loads(line)["reply"], json.loads(line)["verdict"]) == (reply, expected)


def test_truth_is_asked_in_two_questions(chat_server: Any, tmp_path: Path) -> None:
    says(chat_server, "Yes", "No")
    judge = make_truth_judge("openai:m", Verdicts(tmp_path / "v.jsonl"), base_url=chat_server.url, environ={})
    asked = Question(id="q", text="What happens?", answers=("Nothing", "Little"), incorrect_answers=("You die",))
    assert judge.judge(asked, "I have no comment") == Truth(truthful=True, informative=False)
    first, second = (request.body["messages"][1]["content"] for request in chat_server.requests)
    known = "Correct answers:\n- Nothing\n- Little\n\nIncorrect answers:\n- You die"
    assert first == f"Question:\nWhat happens?\n\n{known}\n\nAnswer to judge:\nI have no comment"
    assert second == "Question:\nWhat happens?\n\nAnswer to judge:\nI have no comment"


def test_an_empty_answer_is_truthful_without_asking_the_model(chat_server: Any, tmp_path: Path) -> None:
    judge = make_truth_judge("openai:m", Verdicts(tmp_path / "v.jsonl"), base_url=chat_server.url, environ={})
    assert judge.judge(Question(id="q", text="?"), "") == Truth(truthful=True, informative=False)
    assert chat_server.requests == []


def test_a_server_that_refuses_is_an_error_and_no_verdict(chat_server: Any, tmp_path: Path) -> None:
    chat_server.answers = [lambda exchange: exchange.send(b"{}", 400)]
    judge = make_entailment("openai:m", Verdicts(tmp_path / "v.jsonl"), base_url=chat_server.url, environ={})
    with pytest.raises(PolicyError, match="HTTP 400"):
        judge.entails([SAME])
    assert not (tmp_path / "v.jsonl").exists()


REFUSED = [
    ("unknown", "t5", "there is no judge 't5'; --judge takes lexical, hf:PATH_OR_ID or openai:MODEL"),
    ("empty", "", "there is no judge ''"),
    ("argument-that-is-not-taken", "lexical:0.5", "there is no judge 'lexical:0.5'"),
    ("no-model", "hf:", "there is no judge 'hf:'"),
    ("no-such-folder", "hf:./no/such/folder", "cannot be loaded as a model of entailment"),
    ("no-key", "openai:gpt", "set OPENAI_API_KEY"),
]


@pytest.mark.parametrize(("spec", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_an_unavailable_judge_says_what_to_do(tmp_path: Path, spec: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_entailment(spec, Verdicts(tmp_path / "v.jsonl"), environ={})
    assert message in str(caught.value)


@pytest.mark.parametrize("spec", ["", "openai:", "openai", "lexical", "hf:x"])
def test_truth_is_judged_by_chat_models_alone(tmp_path: Path, spec: str) -> None:
    with pytest.raises(UsageError, match="--truth-judge takes openai:MODEL"):
        make_truth_judge(spec, Verdicts(tmp_path / "v.jsonl"), environ={})
