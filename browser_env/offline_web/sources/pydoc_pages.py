"""Runs in a child interpreter: imports the standard library and writes its documentation as HTML, a JSON line at a time.

Importing runs code, and some of it opens windows, prints, waits or calls home. So it happens here, in a process that may do
none of that and that its parent (`browser_env.offline_web.sources.python_docs`) kills when it hangs. Nothing of this machine
may stand in a page (paths, addresses in memory, the environment), and two runs give the same bytes.

This file imports nothing but the standard library, because it runs without site-packages.
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
"""Names of modules that are private or tests."""
NOISE = frozenset(
    """__abstractmethods__ __annotations__ __dataclass_fields__ __dataclass_params__ __dict__ __firstlineno__ __hash__
    __match_args__ __orig_bases__ __parameters__ __static_attributes__ __weakref__""".split()  # noqa: SIM905 - a list of words reads best as text
)
"""Members that the interpreter gives to classes by itself; their documentation is the same sentence on every page."""
FORBIDDEN = (
    "ftplib.connect", "http.client.connect", "imaplib.open", "nntplib.connect", "poplib.connect", "smtplib.connect",
    "socket.bind", "socket.connect", "socket.getaddrinfo", "socket.gethostby", "socket.sendto", "telnetlib.Telnet.open",
    "urllib.Request", "webbrowser.open", "subprocess.Popen", "pty.spawn",
    "os.exec", "os.fork", "os.kill", "os.posix_spawn", "os.spawn", "os.startfile", "os.system",
    "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate",
)  # fmt: skip
"""Audit events, by their beginning, that an import may not cause."""


class NotAllowed(PermissionError):
    """Raised in a module that does more than define things when it is imported."""


def forbid_effects() -> None:
    """From here on this process cannot reach the network, start programs, open windows or write files."""

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


def public(name: str) -> bool:
    """Whether a dotted name is that of a public module."""
    return not any(NOT_PUBLIC.fullmatch(part) for part in name.split("."))


class Library:
    """The modules that were imported, by the names of their pages."""

    def __init__(self, report: Callable[..., None], skip: Iterable[str]) -> None:
        self.modules: dict[str, ModuleType] = {}
        self._report = report
        self._skip = frozenset(skip)

    def add(self, name: str, *, submodules: bool = True) -> None:
        """Import a module, and what is in it if it is a package."""
        if name in self._skip or name in self.modules:
            return
        self._report(working_on=name)
        try:
            module = importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001  # whatever an import raises, SystemExit too, skips that module alone
            self._report(skipped=name, reason=_reason(error))
            return
        self.modules[name] = module
        if submodules:
            for _, child, _ in pkgutil.iter_modules(getattr(module, "__path__", [])):
                if public(child):
                    self.add(f"{name}.{child}")

    def add_aliases(self) -> None:
        """Modules that have a place in another one without being a file there: ``os.path``."""
        for name, module in list(sys.modules.items()):
            parent, _, child = name.rpartition(".")
            if public(child) and parent in self.modules and isinstance(module, ModuleType) and name not in self._skip:
                self.modules.setdefault(name, module)

    def name_once(self) -> None:
        """One page for one module: ``os.path``, not ``posixpath`` too. What is under another's roof is known by that name."""
        names: dict[int, str] = {}
        for name in sorted(self.modules, key=lambda name: ("." not in name, name)):
            names.setdefault(id(self.modules[name]), name)
        self.modules = {name: self.modules[name] for name in sorted(names.values())}
        for name, module in self.modules.items():
            module.__name__ = name  # what pydoc calls it, and links to


def _reason(error: BaseException) -> str:
    line = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":")
    for path in machine_paths():
        line = line.replace(path, "...")
    return line[:200]


def machine_paths() -> list[str]:
    """What would betray this machine, longest first."""
    paths = {os.path.dirname(os.__file__), os.path.dirname(os.path.abspath(__file__)), sys.executable, os.getcwd()}  # noqa: PTH100, PTH109, PTH120
    return sorted(filter(None, paths), key=len, reverse=True)


class Pages(pydoc.HTMLDoc):
    """pydoc's own HTML with headings and lists where it draws tables, and with links that lead somewhere."""

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self._modules = modules
        self._name = ""
        self._machine_paths = machine_paths()
        self._prefixes = {repr(path) for path in (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)}
        self.homes: dict[type, str] = {}
        """Where each class is documented."""
        for name, module in modules.items():
            for key, value in _classes(module):
                if key == value.__name__ and (value not in self.homes or value.__module__ == name):
                    self.homes[value] = name

    def module_page(self, name: str) -> str:
        """The page of one module."""
        self._name = name
        page = self.page(name, self.docmodule(self._modules[name]))
        page = re.sub(r'<span class="code">(.*?)(?:<br>&nbsp;)?</span>', r"<pre>\1</pre>", page, flags=re.DOTALL)
        page = MEMORY_ADDRESS.sub("", page)
        for path in self._machine_paths:
            page = page.replace(self.escape(path), "...")
        return page

    def index_page(self, title: str) -> str:
        """The page that lists all modules, each with its first line."""
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
        return f'<p><a href="index.html">index</a></p>\n<h1>{title}</h1>\n'  # the extras are a path of this machine

    def bigsection(self, title: str, *args: Any) -> str:
        return f"<h2>{title}</h2>\n{args[1]}\n" if args[1] else ""

    def section(self, title: str, cls: str, contents: str, width: int = 6, prelude: str = "", *_: Any, **__: Any) -> str:
        return f"<h3>{title}</h3>\n{prelude}\n{contents}\n"

    def multicolumn(self, list: list[Any], format: Callable[[Any], str]) -> str:
        if isinstance(list[0][1], ModuleType):  # what it imports is its own affair; ``os.path`` belongs to ``os``
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
        return self.escape(text.expandtabs())  # stands in <pre>

    def getdocloc(self, object: object, basedir: str = "") -> None:
        return None  # the manual is another web

    # ------------------------------------------------------------------ links

    def namelink(self, name: str, *dicts: MutableMapping[str, str]) -> str:
        return super().namelink(name, *({name: d[name]} for d in dicts if name in d and self._leads_somewhere(d[name])))

    def _leads_somewhere(self, href: str) -> bool:
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
        value = "..." if self._tells_of_the_machine(object) else self.repr(object)
        return f"<strong>{name}</strong> = {value}" if name else value

    def _tells_of_the_machine(self, value: object) -> bool:
        if isinstance(value, ModuleType):
            return True
        try:
            shown = repr(value)
        except Exception:  # noqa: BLE001  # a value that cannot be shown is not shown
            return True
        return any(path in shown for path in (*self._machine_paths, *self._prefixes))


def _classes(module: ModuleType) -> Iterator[tuple[str, type]]:
    """The classes that pydoc puts on a module's page."""
    names = getattr(module, "__all__", None)
    for key, value in inspect.getmembers(module, inspect.isclass):
        own = names is not None or (inspect.getmodule(value) or module) is module
        if own and pydoc.visiblename(key, names, module):
            yield key, value


def quieten_pydoc(documented: Container[type]) -> None:
    """Document a member once, with the class that defines it, to which its subclasses link.

    Inherited members are nine tenths of the text of an exception, and a megabyte on the page of ``tkinter``. Addresses in
    memory go before pydoc abbreviates a value, not after.
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
    """Answer one request on standard input: ``{"modules": names or null, "skip": names, "done": names}``."""
    request = json.load(sys.stdin)
    answers: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    sys.argv = [""]

    def report(**message: str | int) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    if not (len.__doc__ and contextlib.suppress.__doc__):
        report(error="its documentation was stripped")
        return
    forbid_effects()
    library = Library(report, request["skip"])
    if request["modules"] is None:
        for name in sorted(filter(public, sys.stdlib_module_names)):
            library.add(name)
        library.add_aliases()
    else:
        for name in request["modules"]:
            library.add(name, submodules=False)
    library.name_once()
    pages = Pages(library.modules)
    quieten_pydoc(pages.homes)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    report(expected=len(library.modules) + 1)
    report(name="index", html=pages.index_page(html.escape(f"Python {version} documentation")))
    for name in library.modules:
        if name not in request["done"]:
            report(working_on=name)
            try:
                page = pages.module_page(name)
            except Exception as error:  # noqa: BLE001  # reported, and the next module is another one
                report(skipped=name, reason=_reason(error))
            else:
                report(name=name, html=page)
    report(finished=version)
    os._exit(0)  # threads that modules have left behind would keep the process


if __name__ == "__main__":
    main()
