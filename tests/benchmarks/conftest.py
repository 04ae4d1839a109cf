"""Fixtures of the sampling and training benchmarks: a model of the shipped size, and the web that it browses."""

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from agent.question_sets.pydoc.questions import PythonDocsQuestions
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources.python_docs import PythonDocs
from browser_env.records import Episode, Question

MODEL = "WEBGPT_BENCHMARK_MODEL"
"""Environment variable with the folder of a trained model, whose commands have realistic lengths. Default: a random model."""


@pytest.fixture(scope="session")
def is_measured(request: pytest.FixtureRequest) -> bool:
    """Whether the benchmarks are timed; otherwise they run once, with small inputs."""
    return bool(request.config.getoption("benchmark_enable")) or not request.config.getoption("benchmark_disable")


@pytest.fixture(scope="session")
def docs(tmp_path_factory: pytest.TempPathFactory, is_measured: bool) -> Iterator[Collection]:
    path = tmp_path_factory.mktemp("docs") / "docs.sqlite"
    modules = ("json", "shutil", "statistics", "textwrap") if is_measured else ("shutil", "textwrap")
    build(path, PythonDocs(modules=modules))
    with Collection.open(path) as collection:
        yield collection


@pytest.fixture(scope="session")
def questions(docs: Collection) -> tuple[Question, ...]:
    return PythonDocsQuestions(docs).questions()


@pytest.fixture(scope="session")
def demonstrations(docs: Collection, questions: tuple[Question, ...], is_measured: bool) -> list[Episode]:
    """Demonstrations of the scripted demonstrator, in the small model's format."""
    from training.base_model.config import SMALL_VIEW
    from training.scripted_people.demonstrations import demonstrations

    return [*islice(demonstrations(docs, questions, SMALL_VIEW), 40 if is_measured else 4)]


@pytest.fixture(scope="session")
def small_model(docs: Collection, demonstrations: list[Episode], is_measured: bool) -> tuple[Any, Any]:
    """A model of the shipped size with its tokenizer, in float32 on one thread."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from training.base_model.config import BaseModelConfig
    from training.base_model.model import make_model
    from training.base_model.tokenizer import train_tokenizer

    torch.set_num_threads(1)
    if is_measured and (folder := os.environ.get(MODEL)):
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), AutoTokenizer.from_pretrained(folder)
    config = BaseModelConfig() if is_measured else replace(BaseModelConfig(), hidden_size=32, layers="ca", vocabulary=600)
    pages = (docs.fetch(url).text for url in docs.urls())
    steps = (step.observation + step.completion for episode in demonstrations for step in episode.steps)
    tokenizer = train_tokenizer([*pages, *steps], config.vocabulary)
    return make_model(config, tokenizer), tokenizer
