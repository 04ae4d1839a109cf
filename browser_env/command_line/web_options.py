"""Which web is browsed, as every command line that browses asks it: an offline one in a file, or the live one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from browser_env.backends import Backend
from browser_env.command_line.open_web import open_web
from browser_env.errors import UsageError

if TYPE_CHECKING:
    from browser_env.snapshots.store import SnapshotStore


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions:
    """The web that is browsed. Its fields are flags, and these are their help texts."""

    collection: Path | None = None
    """An offline web that `webgpt index` wrote. None: the documentation of this Python, which is indexed on first use."""
    web: bool = False
    """Browse the live web instead, with a search provider."""
    provider: str | None = None
    """Who searches the live web: searxng, brave, tavily, exa, serper, you, kagi, mediawiki or duckduckgo. None:
    SEARCH_PROVIDER, or else searxng."""
    search_url: str | None = None
    """Address of the provider. None: its variable (SEARXNG_URL ...), or else where it usually is."""
    ignore_robots: bool = False
    """Visit pages of the live web that a robots.txt asks robots not to visit."""
    loopback_port: int | None = None
    """A port of this machine from which pages of the live web may come. None: pages come from the internet alone."""

    browser: Literal["auto", "never", "always"] = "auto"
    """Which pages of the live web are drawn by the Chromium that is installed: those that need it, none or all."""
    record: Path | None = None
    """Keep all that the web answers in this folder, and do not ask again for what is there."""
    replay: Path | None = None
    """Browse what was recorded in this folder, and nothing else."""

    def __post_init__(self) -> None:
        if self.web and self.collection is not None:
            raise UsageError("--collection names an offline web and --web the live one; give one of them")
        given = {
            "--provider": self.provider,
            "--search-url": self.search_url,
            "--ignore-robots": self.ignore_robots,
            "--loopback-port": self.loopback_port,
            "--browser": None if self.browser == "auto" else self.browser,
        }
        if self.replay is not None and (self.web or self.collection is not None or self.record is not None):
            raise UsageError("--replay browses what was recorded; --web, --collection and --record do not go with it")
        if not self.web and (alone := [flag for flag, value in given.items() if value is not None and value is not False]):
            raise UsageError(f"{alone[0]} is for the live web; add --web")

    @contextmanager
    def open(self) -> Iterator[Backend]:
        """The web, open until the end of the block; whoever waits for the documentation to be indexed is told.

        Raises:
            CollectionError: The file cannot be read.
            UsageError: The search provider does not exist or lacks something, or a browser is missing.
            SnapshotError: The folder of snapshots cannot be used.
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
        # Here, because the clients of the network take as long to import as all the rest, and offline webs need none.
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
