"""All exceptions that this project raises on purpose.

::

    WebGPTError
    ├── FetchError              a page is not available; the environment shows it as an error page
    │   ├── Unreachable         the host does not exist or does not answer
    │   ├── Refused             a rule of the network client forbids the request
    │   ├── NeedsJavaScript     the page is nearly empty until its scripts have run
    │   └── NotInCollection     the URL is not in this collection
    ├── CollectionError         a collection file is missing, damaged, locked or of another version
    ├── SnapshotError           a snapshot folder cannot be used, or lacks what a replay needs
    ├── RecordError             a file of records cannot be read or written
    ├── PolicyError             a policy could not give a completion
    └── UsageError              the request of a user cannot be fulfilled
        └── SearchConfigError   the search provider rejects its key or URL; the run ends

Each message is one line that names the URL, file, line or flag and says what to do. Invalid commands of a policy are not
exceptions but values (`browser_env.actions.Invalid`). Wrong arguments in code raise `ValueError`.
"""


class WebGPTError(Exception):
    """The base class of all errors that this project raises on purpose."""


class FetchError(WebGPTError):
    """Raised when a page or a search is not available. The message is shown to the policy on an error page."""


class Refused(FetchError):
    """Raised when a rule of the network client forbids a request. The message names the rule."""


class NeedsJavaScript(FetchError):
    """Raised when a page is nearly empty until its scripts have run."""


class Unreachable(FetchError):
    """Raised when a host does not exist or does not answer."""


class NotInCollection(FetchError):
    """Raised when a URL is not in a collection."""


class CollectionError(WebGPTError):
    """Raised when a collection file is missing, damaged, locked or of another version."""


class SnapshotError(WebGPTError):
    """Raised when a snapshot folder cannot be used or lacks what a replay needs. Never shown as an error page."""


class RecordError(WebGPTError):
    """Raised when a file of records cannot be read or written."""


class PolicyError(WebGPTError):
    """Raised when a policy could not give a completion."""


class UsageError(WebGPTError):
    """Raised when the request of a user cannot be fulfilled."""


class SearchConfigError(UsageError):
    """Raised when a search provider rejects its key or URL. It ends the run, because every search would fail."""
