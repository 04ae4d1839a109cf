"""Program of a child interpreter, which writes the documentation of the standard library as HTML, one JSON line per page.

The program imports every module. Importing a module runs its code, and some modules open windows, print, wait or use the
network. This program therefore forbids such effects, and its parent (`browser_env.offline_web.sources.python_docs`) kills it
if it hangs. Pages contain nothing of this machine (paths, memory addresses, environment variables), and two runs give the same
bytes.

The file imports only the standard library, because it runs without site-packages.
"""

import contextlib
import html
import importlib
import inspect
import json
import os
import pkgutil
import pydoc
import re
import sys
from collections.abc import Callable, Container, Iterable, Iterator, MutableMapping
from types import ModuleType
from typing import Any, NoReturn, TextIO

MEMORY_ADDRESS = re.compile(r"(?: at 0x|, handle )[0-9A-Fa-f]+\b")
NOT_PUBLIC = re.compile(r"_.*|tests?|idle_test")
"""Names of private modules and of tests."""
NOISE = frozenset(
    """__abstractmethods__ __annotations__ __dataclass_fields__ __dataclass_params__ __dict__ __firstlineno__ __hash__
    __match_args__ __orig_bases__ __parameters__ __static_attributes__ __weakref__""".split()  # noqa: SIM905 - a list of words reads best as text
)
"""Members of every class, which are documented by the same sentence everywhere."""
FORBIDDEN = (
    "ftplib.connect", "http.client.connect", "imaplib.open", "nntplib.connect", "poplib.connect", "smtplib.connect",
    "socket.bind", "socket.connect", "socket.getaddrinfo", "socket.gethostby", "socket.sendto", "telnetlib.Telnet.open",
    "urllib.Request", "webbrowser.open", "subprocess.Popen", "pty.spawn",
    "os.exec", "os.fork", "os.kill", "os.posix_spawn", "os.spawn", "os.startfile", "os.system",
    "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate",
)  # fmt: skip
"""Prefixes of the audit events that imports may not cause."""


class NotAllowed(PermissionError):
    """Raised when importing a module has a forbidden effect."""


def forbid_effects() -> None:
    """Keep this process from using the network, starting programs, opening windows and writing files."""

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(mode := arguments[1], str) and set(mode) & set("wax+"):
            if arguments[0] != os.devnull:
                raise NotAllowed(f"it writes the file {arguments[0]!r}")
        elif event.startswith(FORBIDDEN):
            raise NotAllowed(f"it causes {event}")

    def no_window(*_: object, **__: object) -> NoReturn:
        raise NotAllowed("it opens a window")

    with contextlib.suppress(ImportError):  # an interpreter without Tk has no window to open
        importlib.import_module("_tkinter").create = no_window  # type: ignore[attr-defined]
    sys.addaudithook(refuse)


def is_public_module(name: str) -> bool:
    """Whether a dotted name is that of a public module."""
    return not any(NOT_PUBLIC.fullmatch(part) for part in name.split("."))


class Library:
    """Imported modules by the name of their page."""

    def __init__(self, report: Callable[..., None], skip: Iterable[str]) -> None:
        self.modules: dict[str, ModuleType] = {}
        self._report = report
        self._skip = frozenset(skip)

    def add(self, name: str, *, submodules: bool = True) -> None:
        """Import a module and its public submodules."""
        if name in self._skip or name in self.modules:
            return
        self._report(working_on=name)
        try:
            module = importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001  # an import may raise anything, SystemExit too; only that module is skipped
            self._report(skipped=name, reason=_reason(error))
            return
        self.modules[name] = module
        if submodules:
            for _, child, _ in pkgutil.iter_modules(getattr(module, "__path__", [])):
                if is_public_module(child):
                    self.add(f"{name}.{child}")

    def add_aliases(self) -> None:
        """Add modules that are submodules only by name, such as ``os.path``."""
        for name, module in list(sys.modules.items()):
            parent, _, child = name.rpartition(".")
            if is_public_module(child) and parent in self.modules and isinstance(module, ModuleType) and name not in self._skip:
                self.modules.setdefault(name, module)

    def name_once(self) -> None:
        """Keep one name for each module; a submodule name such as ``os.path`` wins over ``posixpath``."""
        names: dict[int, str] = {}
        for name in sorted(self.modules, key=lambda name: ("." not in name, name)):
            names.setdefault(id(self.modules[name]), name)
        self.modules = {name: self.modules[name] for name in sorted(names.values())}
        for name, module in self.modules.items():
            module.__name__ = name  # the name that pydoc shows and links to


def _reason(error: BaseException) -> str:
    line = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":")
    for path in machine_paths():
        line = line.replace(path, "...")
    return line[:200]


def machine_paths() -> list[str]:
    """Paths that would identify this machine, longest first."""
    paths = {os.path.dirname(os.__file__), os.path.dirname(os.path.abspath(__file__)), sys.executable, os.getcwd()}  # noqa: PTH100, PTH109, PTH120
    return sorted(filter(None, paths), key=len, reverse=True)


class Pages(pydoc.HTMLDoc):
    """The HTML of pydoc with headings and lists instead of tables, and without dead links."""

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self._modules = modules
        self._name = ""
        self._machine_paths = machine_paths()
        self._prefixes = {repr(path) for path in (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)}
        self.homes: dict[type, str] = {}
        """Page on which each class is documented."""
        for name, module in modules.items():
            for key, value in _classes(module):
                if key == value.__name__ and (value not in self.homes or value.__module__ == name):
                    self.homes[value] = name

    def module_page(self, name: str) -> str:
        """Make the page of a module."""
        self._name = name
        page = self.page(name, self.docmodule(self._modules[name]))
        page = re.sub(r'<span class="code">(.*?)(?:<br>&nbsp;)?</span>', r"<pre>\1</pre>", page, flags=re.DOTALL)
        page = MEMORY_ADDRESS.sub("", page)
        for path in self._machine_paths:
            page = page.replace(self.escape(path), "...")
        return page

    def index_page(self, title: str) -> str:
        """Make the page that lists all modules with their summaries."""
        lines = []
        for module in self._modules.values():
            synopsis = pydoc.splitdoc(pydoc.getdoc(module))[0]
            lines.append(f"<dt>{self.modulelink(module)}</dt><dd>{self.escape(synopsis)}</dd>")
        return self.page(title, f"<h1>{title}</h1>\n<dl>\n" + "\n".join(lines) + "\n</dl>")

    # ------------------------------------------------------------------ layout

    def page(self, title: str, contents: str) -> str:
        head = f'<meta charset="utf-8">\n<title>{self.escape(title)}</title>'
        return f'<!DOCTYPE html>\n<html lang="en"><head>\n{head}\n</head><body>\n{contents}\n</body></html>\n'

    def heading(self, title: str, extras: str = "") -> str:
        return f'<p><a href="index.html">index</a></p>\n<h1>{title}</h1>\n'  # extras is a path of this machine

    def bigsection(self, title: str, *args: Any) -> str:
        return f"<h2>{title}</h2>\n{args[1]}\n" if args[1] else ""

    def section(self, title: str, cls: str, contents: str, width: int = 6, prelude: str = "", *_: Any, **__: Any) -> str:
        return f"<h3>{title}</h3>\n{prelude}\n{contents}\n"

    def multicolumn(self, list: list[Any], format: Callable[[Any], str]) -> str:
        if isinstance(list[0][1], ModuleType):  # list only submodules, not imported modules
            list = [item for item in list if item[1].__name__.startswith(f"{self._name}.")]
        return "<ul>\n" + "".join(f"<li>{format(item)}</li>\n" for item in list) + "</ul>" if list else ""

    def formattree(self, tree: list[Any], modname: str, parent: type | None = None) -> str:
        lines = []
        for entry in tree:
            if isinstance(entry, list):
                lines.append(self.formattree(entry, modname))
            else:
                bases = ", ".join(self.classlink(base, modname) for base in entry[1] if base is not object)
                lines.append(f"<li>{self.classlink(entry[0], modname)}{bases and f'({bases})'}</li>\n")
        return f"<ul>\n{''.join(lines)}</ul>\n"

    def preformat(self, text: str) -> str:
        return self.escape(text.expandtabs())  # shown in <pre>

    def getdocloc(self, object: object, basedir: str = "") -> None:
        return None  # no links to docs.python.org

    # ------------------------------------------------------------------ links

    def namelink(self, name: str, *dicts: MutableMapping[str, str]) -> str:
        return super().namelink(name, *({name: d[name]} for d in dicts if name in d and self._has_page(d[name])))

    def _has_page(self, href: str) -> bool:
        page = href.partition("#")[0]
        return not page or page.removesuffix(".html") in self._modules

    def classlink(self, object: Any, modname: str) -> str:
        text = pydoc.classname(object, modname)
        home = self.homes.get(object)
        return text if home is None else f'<a href="{home}.html#{object.__name__}">{text}</a>'

    def modulelink(self, object: Any) -> str:
        name = self.escape(object.__name__)
        return f'<a href="{name}.html">{name}</a>' if self._modules.get(object.__name__) is object else name

    def modpkglink(self, modpkginfo: tuple[str, str, bool, bool]) -> str:
        name = f"{modpkginfo[1]}.{modpkginfo[0]}"
        return self.modulelink(self._modules[name]) if name in self._modules else modpkginfo[0]

    def filelink(self, url: str, path: str) -> str:
        return ""

    # ------------------------------------------------------------------ values

    def docother(self, object: object, name: str | None = None, mod: str | None = None, *_: Any) -> str:
        value = "..." if self._identifies_machine(object) else self.repr(object)
        return f"<strong>{name}</strong> = {value}" if name else value

    def _identifies_machine(self, value: object) -> bool:
        if isinstance(value, ModuleType):
            return True
        try:
            shown = repr(value)
        except Exception:  # noqa: BLE001  # a value whose repr() fails is left out
            return True
        return any(path in shown for path in (*self._machine_paths, *self._prefixes))


def _classes(module: ModuleType) -> Iterator[tuple[str, type]]:
    """The classes that pydoc documents on a module's page."""
    names = getattr(module, "__all__", None)
    for key, value in inspect.getmembers(module, inspect.isclass):
        is_own = names is not None or (inspect.getmodule(value) or module) is module
        if is_own and pydoc.visiblename(key, names, module):
            yield key, value


def patch_pydoc(documented: Container[type]) -> None:
    """Make pydoc document each member only in the class that defines it, and remove memory addresses from values.

    Inherited members are nine tenths of the text of an exception class and a megabyte on the page of ``tkinter``. Memory
    addresses are removed before pydoc abbreviates a value, so that abbreviations are the same in every run.
    """
    classify = pydoc.classify_class_attrs

    def own_attributes(cls: Any) -> list[Any]:
        return [
            attribute
            for attribute in classify(cls)
            if attribute[0] not in NOISE
            and ((home := attribute[2]) is cls or not (home in documented or home.__module__ == "builtins"))
        ]

    pydoc.classify_class_attrs = own_attributes  # type: ignore[assignment]
    pydoc.stripid = lambda text: MEMORY_ADDRESS.sub("", text)


def main() -> None:
    """Write the pages that a request on standard input asks for.

    The request is ``{"modules": names or null, "skip": names, "done": names}``.
    """
    request = json.load(sys.stdin)
    output: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    sys.argv = [""]

    def report(**message: str | int) -> None:
        output.write(json.dumps(message) + "\n")
        output.flush()

    if not (len.__doc__ and contextlib.suppress.__doc__):
        report(error="its documentation was stripped")
        return
    forbid_effects()
    library = Library(report, request["skip"])
    if request["modules"] is None:
        for name in sorted(filter(is_public_module, sys.stdlib_module_names)):
            library.add(name)
        library.add_aliases()
    else:
        for name in request["modules"]:
            library.add(name, submodules=False)
    library.name_once()
    pages = Pages(library.modules)
    patch_pydoc(pages.homes)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    report(expected=len(library.modules) + 1)
    report(name="index", html=pages.index_page(html.escape(f"Python {version} documentation")))
    for name in library.modules:
        if name not in request["done"]:
            report(working_on=name)
            try:
                page = pages.module_page(name)
            except Exception as error:  # noqa: BLE001  # reported; the next module may work
                report(skipped=name, reason=_reason(error))
            else:
                report(name=name, html=page)
    report(finished=version)
    os._exit(0)  # threads that modules have started would keep the process alive


if __name__ == "__main__":
    main()
