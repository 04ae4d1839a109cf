"""The shipped policy, in processes of its own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.models.shipped import LEARNED_FOLDER, MODELS, REWARD_FOLDER, SMALL_FOLDER
from agent.policies.registry import make_policy

QUESTION = "What is shutil.chown() for?"
ANSWER = "Change owner user and group of the given path"
MAX_BYTES = 25_000_000
MAX_KILOBYTES = 1_500_000
MEASURED = """
import pathlib, sys, agent.cli
code = agent.cli.main(sys.argv[1:])
# ru_maxrss would include the memory of the parent process.
status = dict(line.split(":") for line in pathlib.Path("/proc/self/status").read_text().splitlines())
print(status["VmHWM"].split()[0], file=sys.stderr)
sys.exit(code)
"""
WITHOUT = """
import importlib.abc, sys
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in sys.argv[1].split(","):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
import agent.cli
sys.exit(agent.cli.main(sys.argv[2:]))
"""
TORCH = "torch,transformers"


def run_without(missing: str, arguments: Sequence[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run the program as if some packages were not installed."""
    command = [sys.executable, "-c", WITHOUT, missing, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


def test_all_shipped_models_are_small_and_have_a_card() -> None:
    files = [file for file in MODELS.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= MAX_BYTES
    for folder in (SMALL_FOLDER, LEARNED_FOLDER, REWARD_FOLDER):
        assert (folder / "README.md").read_text("utf-8").startswith("---\nlicense: apache-2.0\n")
        assert (folder / "model.safetensors").is_file()


def test_the_policy_answers_with_a_citation_in_little_memory(small_collection: Path, environment: dict[str, str]) -> None:
    asked = ("ask", "--policy", "learned", "--temperature", "0", "--json", "--collection", str(small_collection), QUESTION)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *asked], capture_output=True, text=True, env=environment, timeout=250, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["supported"]
    assert ANSWER in result["answer"]
    assert result["episode"]["actor"] == "learned"
    assert int(done.stderr.split()[-1]) < MAX_KILOBYTES


def test_a_free_policy_has_a_name_of_its_own() -> None:
    constrained, free = make_policy("learned"), make_policy("learned", free=True)
    assert (constrained.name, free.name) == ("learned", "learned free")


@pytest.mark.parametrize(
    ("policy", "missing"), [("scripted", f"{TORCH},tokenizers"), ("default", f"{TORCH},tokenizers"), ("learned", TORCH)]
)
def test_the_shipped_policies_need_no_torch(
    policy: str, missing: str, small_collection: Path, environment: dict[str, str]
) -> None:
    asked = ("ask", "--policy", policy, "--temperature", "0", "--collection", str(small_collection), QUESTION)
    done = run_without(missing, asked, environment)
    assert done.returncode == 0, done.stderr
    assert ANSWER in done.stdout


def test_best_of_n_needs_no_torch_and_no_other_model(small_collection: Path, environment: dict[str, str]) -> None:
    asked = ("ask", "--policy", "learned", "--best-of", "3", "--json", "--collection", str(small_collection), QUESTION)
    done = run_without(TORCH, asked, environment)
    assert done.returncode in (0, 3), done.stderr  # 3: an unsupported answer
    assert json.loads(done.stdout)["episode"]["actor"] == "learned"


def test_the_learned_policy_says_what_to_install(small_collection: Path, environment: dict[str, str]) -> None:
    asked = ("ask", "--policy", "learned", "--collection", str(small_collection), QUESTION)
    done = run_without("tokenizers", asked, environment)
    assert done.returncode == 2
    assert "learned needs NumPy and tokenizers; install them with: make install EXTRAS=learned" in done.stderr
