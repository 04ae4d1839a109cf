"""The terminal recorder of demonstrations and comparisons. Its journals survive a crash at any time."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recorder.data.agreement import agreements
    from recorder.data.recorded import records
else:
    from browser_env.lazy import lazy_imports

    __getattr__, __dir__ = lazy_imports(
        __name__,
        {
            "recorder.data.agreement": ("agreements",),
            "recorder.data.recorded": ("records",),
        },
    )

__all__ = [
    "agreements",
    "records",
]
