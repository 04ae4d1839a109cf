"""Everything that this project raises on purpose.

::

    WebGPTError
    ├── FetchError          a page could not be had; the environment shows it as an error page
    │   ├── Unreachable     no server answers there
    │   ├── Refused         a rule of the one door to the network forbids it
    │   ├── NeedsJavaScript it shows next to nothing until its scripts have run
    │   └── NotInCollection the address is not in this offline web
    ├── CollectionError     a collection file is missing, corrupt, locked or of another version
    ├── SnapshotError       a folder of snapshots cannot be used, or lacks what is replayed
    ├── RecordError         a line of a records file cannot be read
    ├── PolicyError         a policy could not give a completion
    └── UsageError          what the person asked for cannot be done; the message says what to do
        └── SearchConfigError   the search provider wants another key or address; no page, and no run goes on

Each message is one line that names the thing (address, file, line, flag) and says what to do about it. Bad model output is
never an exception but a value (`browser_env.actions.Invalid`); a wrong argument from code is a `ValueError`.
"""


class WebGPTError(Exception):
    """The root: catch this to catch all of them."""


class FetchError(WebGPTError):
    """Raised when a page could not be had. The message is shown to the policy on an error page."""


class Refused(FetchError):
    """Raised when a rule forbids to visit an address. The message names the rule."""


class NeedsJavaScript(FetchError):
    """Raised when a page shows next to nothing until its scripts have run."""


class Unreachable(FetchError):
    """Raised when a host is not known, or nothing listens there."""


class NotInCollection(FetchError):
    """Raised when an address is not in an offline web."""


class CollectionError(WebGPTError):
    """Raised when a collection file is missing, corrupt, locked or of another version."""


class SnapshotError(WebGPTError):
    """Raised when a folder of snapshots cannot be used, or a replay asks for what is not in it: never shown as a page."""


class RecordError(WebGPTError):
    """Raised when a line of a records file cannot be read."""


class PolicyError(WebGPTError):
    """Raised when a policy could not give a completion."""


class UsageError(WebGPTError):
    """Raised when what the person asked for cannot be done."""


class SearchConfigError(UsageError):
    """Raised when a search provider refuses a key, or is not where it should be. It ends a run: every search would fail."""
