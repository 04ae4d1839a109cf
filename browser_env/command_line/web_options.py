"""The command-line options that select the web to browse: an offline collection, the live web, or a recording."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from browser_env.backends import Backend
from browser_env.command_line.open_web import open_web
from browser_env.errors import UsageError

if TYPE_CHECKING:
    from browser_env.snapshots.store import SnapshotStore


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions:
    """Options of the web to browse: an offline collection, the live web, or a recording. Field texts are ``--help``."""

    collection: Annotated[Path | None, arg(metavar="FILE")] = None
    """Collection file to browse, made by `webgpt index`. Default: the documentation of this Python, indexed on first use."""
    web: bool = False
    """Browse the live web, searching with --provider."""
    provider: Annotated[str | None, arg(metavar="NAME")] = None
    """Search provider for --web: searxng, brave, tavily, exa, serper, you, kagi, mediawiki or duckduckgo. Default:
    SEARCH_PROVIDER, or searxng."""
    search_url: Annotated[str | None, arg(metavar="URL")] = None
    """URL of the search provider. Default: its environment variable, such as SEARXNG_URL, or its public URL."""
    ignore_robots: bool = False
    """Visit pages of --web even if the robots.txt of their site forbids it."""
    loopback_port: Annotated[int | None, arg(metavar="PORT")] = None
    """Port of this machine from which --web may load pages, for a site under construction. Default: no such port."""
    browser: Literal["auto", "never", "always"] = "auto"
    """Load pages of --web in the installed Chromium if they need JavaScript (auto), never, or always."""
    record: Annotated[Path | None, arg(metavar="DIR")] = None
    """Folder in which to record searches and pages for --replay; what it already contains is not requested again."""
    replay: Annotated[Path | None, arg(metavar="DIR")] = None
    """Folder of a recording to browse instead of a web; nothing outside it is available."""

    def __post_init__(self) -> None:
        if self.web and self.collection is not None:
            raise UsageError("--collection is an offline web and --web the live web; pass only one of them")
        if self.replay is not None and (self.web or self.collection is not None or self.record is not None):
            raise UsageError("--replay cannot be combined with --web, --collection or --record")
        live_only = {
            "--provider": self.provider is not None,
            "--search-url": self.search_url is not None,
            "--ignore-robots": self.ignore_robots,
            "--loopback-port": self.loopback_port is not None,
            "--browser": self.browser != "auto",
        }
        if not self.web and (flag := next((flag for flag, is_given in live_only.items() if is_given), None)):
            raise UsageError(f"{flag} needs --web")

    @contextmanager
    def open(self) -> Iterator[Backend]:
        """Open the web for the duration of the block; progress of indexing is shown on stderr.

        Raises:
            CollectionError: The collection file cannot be read.
            UsageError: The search provider is unknown or not configured, or there is no Chromium for ``--browser always``.
            SnapshotError: The folder of the recording cannot be used.
        """
        with ExitStack() as stack:
            if self.replay is not None or self.record is not None:
                from browser_env.snapshots.backend import SnapshotBackend
                from browser_env.snapshots.store import SnapshotStore
            if self.replay is not None:
                yield SnapshotBackend(stack.enter_context(SnapshotStore(self.replay)))
                return
            store = None if self.record is None else stack.enter_context(SnapshotStore(self.record, create=True))
            if self.web:
                web = self._live(stack, store)
            else:
                web = stack.enter_context(open_web(self.collection))
            yield web if store is None else SnapshotBackend(store, web)

    def _live(self, stack: ExitStack, store: "SnapshotStore | None") -> Backend:
        # Imported here because the network clients take as long to import as everything else, and offline webs need none.
        from browser_env.live_web.backend import LiveWeb
        from browser_env.live_web.drawing import document_loader
        from browser_env.live_web.search.engine import SearchEngine
        from browser_env.live_web.search.providers import make_provider
        from browser_env.network.client import Network
        from browser_env.network.robots import Robots
        from browser_env.network.settings import NetworkSettings

        settings = NetworkSettings()
        if self.loopback_port is not None:
            settings = replace(settings, ports=settings.ports | {self.loopback_port}, allow_loopback=True)
        network = Network(settings, on_response=None if store is None else store.add_response)
        engine = SearchEngine(make_provider(self.provider, base_url=self.search_url))
        load = stack.enter_context(document_loader(network, self.browser))
        return LiveWeb(engine, load, robots=None if self.ignore_robots else Robots(network))
