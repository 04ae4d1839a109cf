"""The names that each package gives without a path, as the documentation uses them."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("browser_env", "agent", "recorder", "training")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEAVY = ("torch", "transformers", "textual", "lxml", "httpx", "pydantic", "rich", "tyro")


def documented_names(package: str) -> set[str]:
    """The names that the README, the docs and the examples import from a package itself."""
    pages = (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
    sources = [block for page in pages for block in BLOCK.findall(page.read_text("utf-8"))]
    sources += [path.read_text("utf-8") for path in (ROOT / "examples").glob("*.py")]
    imports = [node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    return {alias.name for node in imports if node.module == package for alias in node.names}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_documentation_uses_every_public_name_and_no_other(package: str) -> None:
    assert set(import_module(package).__all__) == documented_names(package)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_what_its_module_defines(package: str) -> None:
    face = import_module(package)
    assert set(face.__all__) <= set(dir(face))
    for name in face.__all__:
        assert getattr(face, name).__name__ == name
        assert getattr(face, name).__module__.startswith(f"{package}.")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_is_not_public_is_an_attribute_error(package: str) -> None:
    face = import_module(package)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nonsense'"):
        face.nonsense  # noqa: B018


def test_importing_the_packages_loads_none_of_their_parts() -> None:
    program = f"import sys, {', '.join(PACKAGES)}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not set(HEAVY) & set(loaded)
    assert {name for name in loaded if name.partition(".")[0] in PACKAGES} == {*PACKAGES, "browser_env.lazy"}
