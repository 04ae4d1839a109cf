"""The small base model can be trained, killed, resumed and loaded like any other model."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from agent.models.folder import load_settings
from agent.models.language_model import LanguageModel
from agent.models.tokens import Phase
from browser_env.errors import UsageError
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources.python_docs import PythonDocs
from training.base_model.config import SMALL_VIEW, BaseModelConfig
from training.base_model.data import MicroBatch
from training.base_model.model import make_model, next_token_loss
from training.base_model.pretext_tasks import TrainingExample
from training.base_model.train import BaseModelTraining

TINY = BaseModelConfig(
    hidden_size=32,
    layers="ca",
    heads=2,
    intermediate_size=32,
    vocabulary=500,
    tokens=12_000,
    batch_tokens=600,
    copy_length=16,
    warmup_steps=1,
    learning_rate=5e-3,
)
MODULES = ("shutil", "textwrap", "json", "string", "os.path", "glob")


@pytest.fixture(scope="module")
def web_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("web") / "web.sqlite"
    build(path, PythonDocs(modules=MODULES))
    return path


class Trained(NamedTuple):
    out: Path
    folder: Path
    training: BaseModelTraining
    losses: dict[str, list[float]]


@pytest.fixture(scope="module")
def trained(web_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "base"
    losses: dict[str, list[float]] = {}

    def on_step(training: BaseModelTraining, entry: Mapping[str, float]) -> None:
        for name, value in entry.items():
            losses.setdefault(name, []).append(value)

    with Collection.open(web_file) as web:
        training = BaseModelTraining(TINY, web, out)
        folder = training.run(on_step)
    return Trained(out, folder, training, losses)


def test_losses_fall(trained: Trained) -> None:
    losses = trained.losses
    assert sum(losses["step loss"][-3:]) < sum(losses["step loss"][:3]) - 0.3


def test_transformers_loads_it_and_it_is_a_policy(trained: Trained) -> None:
    _, folder, training, _ = trained
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = torch.tensor([training.tokenizer("Search shutil")["input_ids"]])
    ours = training.model.eval()(ids).logits
    assert torch.allclose(model(ids).logits, ours, atol=0.1)  # the saved weights are bfloat16
    assert AutoTokenizer.from_pretrained(folder).decode(ids[0]) == "Search shutil"
    assert load_settings(folder) == SMALL_VIEW
    weights = load_file(folder / "model.safetensors")  # the tied embedding is saved once
    assert sum(weight.numel() for weight in weights.values()) == training.model.num_parameters()
    assert LanguageModel.load(str(folder)).name == f"hf:{folder.name}"


def test_a_killed_run_resumes_to_the_same_weights(trained: Trained, web_file: Path, tmp_path: Path) -> None:
    whole = trained.training
    script = f"""
import torch
from pathlib import Path
from browser_env.offline_web.collection import Collection
import training.base_model.train
from tests_config import CONFIG
training.base_model.train.SAVE_EVERY = 3
torch.set_num_threads(1)
with Collection.open(Path({str(web_file)!r})) as web:
    run = training.base_model.train.BaseModelTraining(CONFIG, web, Path({str(tmp_path / "base")!r}))
    run.run(lambda seen, entry: print(seen.step, flush=True))
"""
    (tmp_path / "tests_config.py").write_text(
        f"from training.base_model.config import BaseModelConfig, SMALL_VIEW\nfrom browser_env.records import Settings\nCONFIG = {TINY!r}\n"
    )
    (tmp_path / "run.py").write_text(script)
    with subprocess.Popen([sys.executable, tmp_path / "run.py"], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 7:
            time.sleep(0)
        process.send_signal(signal.SIGKILL)
    with Collection.open(web_file) as web:
        resumed = BaseModelTraining(TINY, web, tmp_path / "base")
        assert 3 <= resumed.step < whole.step
        resumed.run(lambda seen, entry: None)
    assert (resumed.step, resumed.tokens) == (whole.step, whole.tokens)
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name


def test_batches_made_by_other_processes_are_the_same(trained: Trained, web_file: Path, tmp_path: Path) -> None:
    whole = trained.training
    with Collection.open(web_file) as web:
        ahead = BaseModelTraining(TINY, web, tmp_path / "ahead", workers=2)
        ahead.run(lambda seen, entry: None)
    assert (ahead.step, ahead.tokens) == (whole.step, whole.tokens)
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, ahead.model.state_dict()[name]), name


def test_another_configuration_does_not_resume_a_run(trained: Trained, web_file: Path) -> None:
    with Collection.open(web_file) as web, pytest.raises(UsageError, match="another learning_rate"):
        BaseModelTraining(replace(TINY, learning_rate=1.0), web, trained.out)


def test_other_layer_letters_are_an_error(trained: Trained) -> None:
    with pytest.raises(UsageError, match="c or a, got 'cx'"):
        make_model(replace(TINY, layers="cx"), trained.training.tokenizer)


def test_the_loss_is_over_the_learned_tokens_only(trained: Trained) -> None:
    training = trained.training
    sequences = [([5, 6, 7, 8, 9], [False, False, True, True, False]), ([9, 8, 7], [False, True, True])]
    batch = MicroBatch.of(sequences, training.tokenizer.pad_token_id)
    loss, right = next_token_loss(training.model, batch)
    logits = training.model(batch.ids).logits.log_softmax(-1)
    expected = -(logits[0, 1, 7] + logits[0, 2, 8] + logits[1, 0, 8] + logits[1, 1, 7]) / 4
    assert torch.allclose(loss, expected, atol=1e-5)
    assert right.shape == (4,)
    weighted = MicroBatch.of([([5, 6, 7, 8, 9], [0.0, 0.0, 5.0, 1.0, 0.0])], training.tokenizer.pad_token_id)
    loss, _ = next_token_loss(training.model, weighted)
    assert torch.allclose(loss, -(5 * logits[0, 1, 7] + logits[0, 2, 8]) / 6, atol=1e-5)


WEIGHTED: dict[str, tuple[str, Phase, str, float]] = {
    "quote": ("Quote: Recursively copy a tree", "browsing", "Quote: ", 5.0),
    "search": ("Search shutil copytree now", "browsing", "Search", 5.0),
    "answer": ("Recursively copy a tree [1].", "answering", "", 5.0),
    "end": ("End: Answer", "browsing", "End: ", 5.0),
    "no argument": ("Back", "browsing", "", 1.0),
}


@pytest.mark.parametrize(("completion", "phase", "name", "weight"), WEIGHTED.values(), ids=WEIGHTED.keys())
def test_tokens_that_choose_have_a_larger_weight(
    trained: Trained, completion: str, phase: Phase, name: str, weight: float
) -> None:
    training = trained.training
    row, weights = training.batches.row(TrainingExample("What?", completion, phase))
    completion_weights = weights[len(row.prompt) :]
    start = len(training.tokenizer(name)["input_ids"]) if name else 0
    assert not any(weights[: len(row.prompt)])
    assert completion_weights[0] == 5  # which command
    assert set(completion_weights[max(1, start) : start + 2]) == {weight}
    assert {*completion_weights[1:start], *completion_weights[start + 2 :]} <= {1.0}
    assert training.tokenizer.decode(row.completion[:start]).strip() == name.strip()
