"""Lazy imports of public names (PEP 562), so that importing a package does not load its modules."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module


def lazy_imports(package: str, exports: Mapping[str, Sequence[str]]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Make the `__getattr__` and `__dir__` of a package that imports its public names on first use.

    Args:
        package: The package's `__name__`.
        exports: Public names, by the full name of the module that defines them.
    """
    module_of = {name: module for module, names in exports.items() for name in names}

    def get_attribute(name: str) -> object:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(module_of[name]), name)
        setattr(sys.modules[package], name, value)  # later accesses find it in the module and do not call __getattr__
        return value

    def list_attributes() -> list[str]:
        return sorted({*vars(sys.modules[package]), *module_of})

    return get_attribute, list_attributes
