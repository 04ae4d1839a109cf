"""Chromium on pages of a local server: the drawn text, the requests that are answered, and the lack of any other network."""

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from browser_env.errors import FetchError, UsageError
from browser_env.live_web import installation
from browser_env.live_web.chromium import Chromium
from browser_env.live_web.installation import require_chromium
from browser_env.live_web.visit import MAX_REQUESTS
from browser_env.network.client import Network
from browser_env.network.messages import Response
from browser_env.network.settings import NetworkSettings
from browser_env.pages.page import Page
from browser_env.rendering.render import render
from tests.browser_env.conftest import Answer, WebServer, serving
from tests.browser_env.network.attacks import ATTACKER, SITE, Names, is_public
from tests.browser_env.network.attacks import ATTACKS as TABLE

T = TypeVar("T")
WORDS = "Crows bring gifts to people who feed them. " * 6
pytestmark = pytest.mark.timeout(240)


class Listener:
    """Records everything that reaches a port of this machine by TCP or UDP."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._threads = [threading.Thread(target=listen) for listen in (self._accept, self._receive)]
        for thread in self._threads:
            thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._tcp.accept()
            with connection:
                connection.settimeout(2)
                message = connection.recv(200)
                if message == b"stop":
                    return
                self.received.append(b"tcp " + message)

    def _receive(self) -> None:
        while (message := self._udp.recv(200)) != b"stop":
            self.received.append(b"udp " + message)

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(b"stop")
        self._udp.sendto(b"stop", ("127.0.0.1", self.port))
        for thread in self._threads:
            thread.join()
        self._tcp.close()
        self._udp.close()


@pytest.fixture(scope="module")
def forbidden() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def network_without(forbidden: Listener) -> Network:
    """A network client for all ports of this machine but the forbidden one, also by names that end in .example."""
    ports = frozenset(range(1, 65_536)) - {forbidden.port}

    def resolve(host: str, port: int) -> list[str]:
        if host.startswith("inside"):
            return ["10.0.0.1"]
        return ["127.0.0.1"] if host.endswith(".example") else [host]

    return Network(NetworkSettings(ports=ports, allow_loopback=True, requests_per_second=1000), resolver=resolve)


@pytest.fixture(scope="module")
def chromium(chromium_path: Path, forbidden: Listener) -> Iterator[Chromium]:
    with Chromium(network_without(forbidden), executable=chromium_path) as chromium:
        yield chromium


def drawn(chromium: Chromium, url: str) -> Page:
    return render(chromium.draw(chromium._network.request(url)))


def script(text: str) -> Answer:
    return Answer(text.encode(), "text/javascript")


APP = Answer(b"<title>App</title><div id=root></div><script src=/app.js></script>")
APP_SCRIPT = script("""
    fetch('/words.json').then((answer) => answer.json()).then((words) => {
        document.getElementById('root').innerHTML = `<h1>Drawn</h1><p>${words}<p><a href="/next?a=1&b=2">next</a>`;
    });
""")


@pytest.fixture
def app(web_server: WebServer) -> WebServer:
    web_server.answers |= {
        "/": APP, "/app.js": APP_SCRIPT, "/words.json": Answer(f'"{WORDS}"'.encode(), "application/json"),
    }  # fmt: skip
    return web_server


def test_scripts_of_a_page_are_run(chromium: Chromium, app: WebServer) -> None:
    page = drawn(chromium, f"{app.url}/")
    assert (page.url, page.title) == (f"{app.url}/", "App")
    assert page.text == f"Drawn\n\n{WORDS.strip()}\n\nnext"
    assert page.link_urls == (f"{app.url}/next?a=1&b=2",)
    assert app.requested == ["/", "/app.js", "/words.json"]
    assert {headers["User-Agent"] for headers in app.headers} == {chromium._network.settings.user_agent}
    assert chromium.num_contexts == 0


def test_only_html_is_drawn(chromium: Chromium) -> None:
    response = Response("http://a.org/x.json", 200, {"content-type": "application/json"}, b"{}")
    assert chromium.draw(response) == response.document


def test_only_requests_for_text_are_answered(chromium: Chromium, web_server: WebServer) -> None:
    web_server.answers["/"] = Answer(
        f"""<link rel=stylesheet href=/style.css><link rel=icon href=/icon><link rel=prefetch href=/prefetch>
        <link rel=preload as=font href=/preload crossorigin><link rel=manifest href=/manifest>
        <style>@font-face {{font-family: f; src: url(/font)}} p {{font-family: f; background: url(/background)}}</style>
        <p>{WORDS}</p><img src=/image><video src=/video></video><audio src=/audio></audio><embed src=/embed><object data=/object>
        </object><script>
        navigator.sendBeacon('/beacon', 'x'); new EventSource('/events'); fetch('/post', {{method: 'POST', body: 'x'}});
        fetch('/delete', {{method: 'DELETE'}}); fetch('/get');
        </script><form action=/form method=post><input name=x></form><script>document.forms[0].submit()</script>""".encode()
    )
    page = drawn(chromium, f"{web_server.url}/")
    assert WORDS.strip() in page.text
    assert set(web_server.requested) - {"/embed", "/object"} == {"/", "/style.css", "/get"}


def test_cookies_and_storage_end_with_a_visit(chromium: Chromium, web_server: WebServer) -> None:
    web_server.answers["/"] = Answer(
        b"""<script>document.write(`cookie ${document.cookie} storage ${localStorage.visits ?? 0}`);
        document.cookie = 'seen=1'; localStorage.visits = 1</script>""",
        headers={"Set-Cookie": "server=1"},
    )
    assert [drawn(chromium, f"{web_server.url}/").text for _ in range(2)] == ["cookie storage 0"] * 2
    assert not any("Cookie" in headers for headers in web_server.headers)


def test_address_is_the_last_of_redirects_and_scripts(chromium: Chromium, web_server: WebServer) -> None:
    web_server.answers |= {
        "/": Answer(b"<script>location = '/moved?a=1&b=\"'</script>"),
        "/moved?a=1&b=%22": Answer(status=302, headers={"Location": "/target?a=1&b=%22"}),
        "/target?a=1&b=%22": Answer(f"<p>{WORDS}<script>history.pushState(0, '', '/state')</script>".encode()),
    }
    page = drawn(chromium, f"{web_server.url}/")
    assert (page.url, page.text) == (f"{web_server.url}/state", WORDS.strip())
    assert web_server.requested.count("/target?a=1&b=%22") == 1


def test_status_is_that_of_the_last_page(chromium: Chromium, web_server: WebServer) -> None:
    web_server.answers["/"] = Answer(b"<script>location = '/gone'</script>")
    web_server.answers["/gone"] = Answer(f"<p>{WORDS}".encode(), status=410)
    with pytest.raises(FetchError, match=r"HTTP 410 Gone: .*/gone"):
        drawn(chromium, f"{web_server.url}/")


INVISIBLE = {
    "style sheet": "<style>.a{display:none}</style><p class=a>X</p>",
    "visibility": "<style>.b{visibility:hidden}</style><p class=b>X <b style='visibility:visible'>seen</b></p>",
    "font size": "<style>.c{font-size:0}</style><p class=c>X</p>",
    "white on white": "<style>.d{color:#fff}</style><p class=d>X</p>",
    "color behind it": "<div style='background:#123'><p><span style='color:rgb(17,34,51)'>X</span></p></div>",
    "transparent": "<p style='color:transparent'>X</p>",
    "script": "<p id=f>X</p><script>document.getElementById('f').style.display = 'none'</script>",
    "collapsed": "<style>.g{content-visibility:hidden}</style><p class=g>X</p>",
    "shadow tree": "<p id=h>X</p><script>document.getElementById('h').attachShadow({mode: 'open'}).innerHTML = 'seen'</script>",
    "liar": "<script>Element.prototype.checkVisibility = () => true; window.getComputedStyle = () => ({})</script>",
}
VISIBLE = {
    "plain": "<p>V1</p>",
    "on black": "<div style='background:#000'><p style='color:#fff'>V2</p></div>",
    "on a picture": "<div style='background:url(x)'><p style='color:#fff'>V3</p></div>",
    "outlined": "<p style='color:#fff;text-shadow:0 0 1px #000'>V4</p>",
    "details": "<details><summary>more</summary>V5</details>",
    "slotted": """<x-y>V6</x-y><script>customElements.define('x-y', class extends HTMLElement { connectedCallback() {
        this.attachShadow({mode: 'open'}).innerHTML = '<p>V7 <slot></slot></p>' } })</script>""",
    "fading in": "<p style='opacity:0'>V8</p>",
}


def test_invisible_text_is_not_shown(chromium: Chromium, web_server: WebServer) -> None:
    web_server.answers["/"] = Answer(f"<p>{WORDS}</p>{''.join([*INVISIBLE.values(), *VISIBLE.values()])}".encode())
    text = drawn(chromium, f"{web_server.url}/").text
    assert "X" not in text.replace(WORDS, "")
    assert [word for word in ("V1", "V2", "V3", "V4", "V5", "V6", "V7", "V8", "seen") if word not in text] == []


# ------------------------------------------------------------------------------------------------------------- attacks

ATTACKS = {
    "image": "<img src={to}image>",
    "script": "<script src={to}script></script>",
    "style sheet": "<link rel=stylesheet href={to}sheet><style>@import url({to}import)</style>",
    "style": "<p style='background:url({to}background)'>x",
    "font": "<style>@font-face{{font-family:f;src:url({to}font)}}</style><p style='font-family:f'>x",
    "media": "<video src={to}video autoplay></video><audio src={to}audio autoplay></audio><video><track src={to}track></video>",
    "frame": "<iframe src={to}frame></iframe>",
    "frame in a frame": "<iframe srcdoc='<iframe src={to}srcdoc></iframe><img src={to}srcdoc>'></iframe>",
    "object and embed": "<object data={to}object></object><embed src={to}embed>",
    "a PDF": "<embed type=application/pdf src={to}x.pdf><iframe src={to}y.pdf></iframe>",
    "hints": "<link rel=preconnect href={to}><link rel=dns-prefetch href={to}><link rel=prefetch href={to}><link rel=prerender href={to}>",
    "preload": "<link rel=modulepreload href={to}module><link rel=preload as=script href={to}preload><link rel=icon href={to}icon>",
    "speculation": "<script type=speculationrules>{{\"prefetch\":[{{\"urls\":[\"{to}rules\"]}}],\"prerender\":[{{\"urls\":[\"{to}rules\"]}}]}}</script>",
    "svg": "<svg><image href={to}svg /><use href={to}use#x /></svg>",
    "fetch": "<script>fetch('{to}fetch', {{mode: 'no-cors'}}); fetch('{to}post', {{mode: 'no-cors', method: 'POST', body: 'x'}})</script>",
    "XMLHttpRequest": "<script>const x = new XMLHttpRequest(); x.open('GET', '{to}xhr'); x.send()</script>",
    "beacon": "<script>navigator.sendBeacon('{to}beacon', 'x')</script>",
    "events": "<script>new EventSource('{to}events')</script>",
    "WebSocket": "<script>new WebSocket('ws://127.0.0.1:{port}/'); new WebSocket('wss://127.0.0.1:{port}/')</script>",
    "WebSocket of a worker": "<script>new Worker(URL.createObjectURL(new Blob([`new WebSocket('ws://127.0.0.1:{port}/')`])))</script>",
    "fetch of a worker": "<script>new Worker(URL.createObjectURL(new Blob([`importScripts('{to}worker')`])))</script>",
    "shared worker": "<script>new SharedWorker(URL.createObjectURL(new Blob([`fetch('{to}shared', {{mode: 'no-cors'}})`])))</script>",
    "service worker": "<script>navigator.serviceWorker.register('/worker.js')</script>",
    "WebRTC over UDP": "<script>{rtc}('stun:127.0.0.1:{port}')</script>",
    "WebRTC over TCP": "<script>{rtc}('turn:127.0.0.1:{port}?transport=tcp')</script>",
    "WebRTC of a frame": "<iframe id=rtc></iframe><script>{rtc}('stun:127.0.0.1:{port}', document.getElementById('rtc').contentWindow)</script>",
    "WebTransport": "<script>new WebTransport('https://127.0.0.1:{port}/')</script>",
    "a window": "<script>window.open('{to}window'); window.open('about:blank').location = '{to}window2'</script>",
    "ping": "<a id=ping ping={to}ping href=#x>x</a><script>document.getElementById('ping').click()</script>",
    "form": "<form id=form target=_blank method=post action={to}form></form><script>document.getElementById('form').submit()</script>",
    "redirected script": "<script src=/redirect></script>",
    "redirected frame": "<iframe src=/redirect></iframe>",
    "redirected fetch": "<script>fetch('/redirect')</script>",
    "base": "<iframe srcdoc='<base href={to}><img src=x><script src=x></script>'></iframe>",
    "refresh of a frame": "<iframe srcdoc='<meta http-equiv=refresh content=\"0;url={to}refresh\">'></iframe>",
    "reports": "<script>try {{ null.x }} catch (e) {{}}</script><img src=//inside.example/report>",
    "other spellings": "<img src=http://localhost:{port}/><script src=http://2130706433:{port}/></script><iframe src=http://0x7f.1:{port}/></iframe>",
    "IPv6": "<script src=http://[::1]:{port}/></script><script src=http://[::ffff:127.0.0.1]:{port}/></script>",
    "a private address": "<script src=http://10.0.0.1/></script><iframe src=http://169.254.169.254/latest/></iframe>",
    "a name inside": "<script src=http://inside.example/></script>",
    "credentials": "<script src=http://user:secret@127.0.0.1:{port}/></script>",
    "files": "<iframe src=file:///etc/passwd></iframe><script>fetch('file:///etc/passwd')</script>",
    "programs": "<iframe src='javascript:fetch(`{to}javascript`)'></iframe><iframe src='data:text/html,<img src={to}data>'></iframe>",
    "chrome": "<iframe src=chrome://version></iframe><iframe src=view-source:{to}source></iframe>",
}  # fmt: skip
RTC = """(async (server, on = window) => {
    try {
        const connection = new on.RTCPeerConnection({iceServers: [{urls: server, username: 'u', credential: 'p'}]});
        connection.createDataChannel('x');
        await connection.setLocalDescription(await connection.createOffer());
    } catch (error) { document.body.append(' without WebRTC ') }
})"""
SERVICE_WORKER = "fetch('{to}installing', {{mode: 'no-cors'}}); onfetch = (event) => event.respondWith(fetch('{to}serving'))"


def test_no_request_of_a_page_reaches_a_forbidden_port(chromium: Chromium, web_server: WebServer, forbidden: Listener) -> None:
    to = {"to": f"http://127.0.0.1:{forbidden.port}/", "port": forbidden.port, "rtc": RTC}
    report = f'default-src * data: blob: "unsafe-inline"; img-src none; report-uri {to["to"]}report'
    web_server.answers |= {
        "/": Answer(
            f"<body><p>{WORDS}</p>{''.join(attack.format(**to) for attack in ATTACKS.values())}<p>The end.".encode(),
            headers={"Content-Security-Policy-Report-Only": report, "Link": f"<{to['to']}header>; rel=preload; as=script"},
        ),
        "/redirect": Answer(status=302, headers={"Location": f"{to['to']}redirected"}),
        "/worker.js": script(SERVICE_WORKER.format(**to)),
    }
    page = drawn(chromium, f"{web_server.url}/")
    assert "The end." in page.text
    assert "root:" not in page.text
    assert "/worker.js" not in web_server.requested
    assert forbidden.received == []
    assert chromium.num_contexts == 0


def test_no_attack_on_the_network_client_succeeds_from_a_page(chromium: Chromium, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("browser_env.network.connection.is_public", is_public())
    names: dict[str, Names] = {}

    def resolve(host: str, port: int) -> Iterable[str]:
        number = host.removeprefix("inside").removesuffix(".example")
        return names[number]("inside.example", port) if number in names else plain(host, port)

    plain = Names(TABLE[0])
    with serving(ATTACKER) as attacker, serving() as target:
        home = f"http://{SITE}:{attacker.port}"

        def fill(number: int, text: str) -> str:
            text = text.replace("inside.example", f"inside{number}.example").replace("{port}", str(target.port))
            return text.replace(f"http://{SITE}/", f"{home}/{number}/", 1)

        for number, attack in enumerate(TABLE):
            names[str(number)] = Names(attack)
            if attack.location is not None:
                attacker.answers[f"/{number}/"] = Answer(status=302, headers={"Location": fill(number, attack.location)})
        attacks = [escape(fill(number, attack.url)) for number, attack in enumerate(TABLE)]
        settings = NetworkSettings(
            ports=frozenset({80, 443, attacker.port, target.port}), requests_per_second=1e6, max_seconds=5
        )
        network = Network(settings, resolver=resolve)
        monkeypatch.setattr(chromium, "_network", network)
        monkeypatch.setattr(chromium, "_max_seconds", 70)  # some attacks last until the time limit of a request
        for first in range(0, len(attacks), 45):
            html = "".join(
                f'<script async src="{url}"></script><iframe src="{url}"></iframe>' for url in attacks[first : first + 45]
            )
            attacker.answers["/"] = Answer(f"<p>{WORDS}</p>{html}<p>The end.".encode())
            assert "The end." in drawn(chromium, f"{home}/").text
        assert target.requested == []
        assert len(set(attacker.requested)) > 20  # the attacks were tried


LEAVING = {
    "script": "<script>location = '{to}'</script>",
    "refresh": "<meta http-equiv=refresh content='0;url={to}'>",
    "redirect": "<script>location = '/redirect'</script>",
    "to a file": "<script>location = 'file:///etc/passwd'</script>",
    "to a blob": "<script>location = URL.createObjectURL(new Blob(['<p>{words}'], {{type: 'text/html'}}))</script>",
    "to nowhere": "<script>location = 'about:blank'</script>",
}


@pytest.mark.parametrize("html", LEAVING.values(), ids=LEAVING.keys())
def test_navigation_to_a_forbidden_address_is_not_followed(
    chromium: Chromium, web_server: WebServer, forbidden: Listener, html: str
) -> None:
    to = f"http://127.0.0.1:{forbidden.port}/"
    web_server.answers["/"] = Answer(f"<p>Here.</p>{html.format(to=to, words=WORDS)}".encode())
    web_server.answers["/redirect"] = Answer(status=302, headers={"Location": to})
    try:
        page = drawn(chromium, f"{web_server.url}/")
    except FetchError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert (page.url, page.text) == (f"{web_server.url}/", "Here.")
    assert forbidden.received == []


def test_listener_records_tcp_and_udp(forbidden: Listener) -> None:
    """Check the listener on which the tests above rely."""
    with socket.create_connection(("127.0.0.1", forbidden.port)) as connection:
        connection.sendall(b"hello")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(b"hello", ("127.0.0.1", forbidden.port))
    until = time.monotonic() + 10
    while len(forbidden.received) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert sorted(forbidden.received) == [b"tcp hello", b"udp hello"]
    forbidden.received.clear()


ENDLESS = {
    "loop": ("<script>while (true) {}</script>", "was not drawn within 6 seconds"),
    "memory": ("<script>const all = []; while (true) all.push(new Array(1e6).fill(all.length))</script>", " drawn"),
    "going in circles": ("<script>location.reload()</script>", None),
    "more and more text": (f"<script>document.body.innerText = '{'x' * 100}'.repeat(200_000)</script>", None),
    "requests without end": (
        "<p>x<script>(async () => { for (let n = 0; ; n++) await fetch('/words?' + n).catch(() => 0) })()</script>", None,
    ),
    "dialogs": ("<script>alert(1); confirm(2); prompt(3); print(); onbeforeunload = () => 1</script>", None),
}  # fmt: skip


@pytest.mark.parametrize(("html", "message"), ENDLESS.values(), ids=ENDLESS.keys())
def test_endless_page_ends_at_the_time_limit(
    chromium: Chromium, web_server: WebServer, monkeypatch: pytest.MonkeyPatch, html: str, message: str | None
) -> None:
    monkeypatch.setattr(chromium, "_max_seconds", 6)
    web_server.answers["/"] = Answer(f"<body>{html}".encode())
    began = time.monotonic()
    try:
        assert len(drawn(chromium, f"{web_server.url}/").text) < 5_000_100
        assert message is None
    except FetchError as error:
        assert (message or "") in str(error)
    assert time.monotonic() - began < 25
    assert len(web_server.requested) <= MAX_REQUESTS + 1
    assert chromium.num_contexts == 0


# ------------------------------------------------------------------------------------------- threads, event loops and recovery


def test_many_threads_share_one_browser(chromium: Chromium, app: WebServer) -> None:
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda _: drawn(chromium, f"{app.url}/").text, range(8)))
    assert len(set(pages)) == 1
    assert chromium.num_contexts == 0


def run_apart(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine in another thread, because other tests leave an event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(main())).result()


def test_drawing_works_inside_a_running_event_loop(chromium: Chromium, app: WebServer) -> None:
    async def main() -> tuple[str, str]:
        return drawn(chromium, f"{app.url}/").text, (await asyncio.to_thread(drawn, chromium, f"{app.url}/")).text

    blocking, waiting = run_apart(main)
    assert blocking == waiting


def test_drawing_works_inside_a_terminal_program(chromium: Chromium, app: WebServer) -> None:
    from textual.app import App, ComposeResult
    from textual.widgets import Static

    class Reader(App[None]):
        def compose(self) -> ComposeResult:
            yield Static("waiting")

        def on_mount(self) -> None:
            self.run_worker(self.load, thread=True)

        def load(self) -> None:
            self.call_from_thread(self.query_one(Static).update, drawn(chromium, f"{app.url}/").title)

    async def main() -> str:
        reader = Reader()
        async with reader.run_test() as pilot:
            await reader.workers.wait_for_complete()
            await pilot.pause()
            return str(reader.query_one(Static).content)

    assert run_apart(main) == "App"


def browser_processes() -> set[int]:
    """Ids of the main processes of Chromium that this process started."""
    pids = set()
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            arguments = process.cmdline()
            if any(argument.startswith("--host-resolver-rules") for argument in arguments) and "--type=" not in " ".join(
                arguments
            ):
                pids.add(process.pid)
    return pids


def test_killed_browser_is_started_again(chromium: Chromium, app: WebServer) -> None:
    drawn(chromium, f"{app.url}/")
    victims = browser_processes()
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    assert drawn(chromium, f"{app.url}/").title == "App"
    assert not browser_processes() & victims


def test_page_is_drawn_again_when_the_browser_is_killed(chromium: Chromium, app: WebServer) -> None:
    slow = threading.Event()

    def wait(handler: object) -> None:
        if not slow.is_set():
            slow.set()
            time.sleep(3)
        body = APP_SCRIPT.body
        handler.wfile.write(  # type: ignore[attr-defined]
            b"HTTP/1.0 200 OK\r\nContent-Type: text/javascript\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )

    app.answers["/app.js"] = Answer(write=wait)
    with ThreadPoolExecutor(1) as pool:
        page = pool.submit(drawn, chromium, f"{app.url}/")
        assert slow.wait(60)
        for pid in browser_processes():
            os.kill(pid, signal.SIGKILL)
        assert page.result().title == "App"


def test_idle_browser_is_closed_and_started_again(chromium_path: Path, forbidden: Listener, app: WebServer) -> None:
    before = browser_processes()
    with Chromium(network_without(forbidden), executable=chromium_path, idle_seconds=0.2) as chromium:
        for _ in range(2):
            assert drawn(chromium, f"{app.url}/").title == "App"
            until = time.monotonic() + 20
            while chromium.is_running and time.monotonic() < until:
                time.sleep(0.05)
            assert not chromium.is_running
    chromium.close()  # a second time does nothing
    until = time.monotonic() + 20
    while browser_processes() - before and time.monotonic() < until:
        time.sleep(0.2)
    assert not browser_processes() - before
    with pytest.raises(FetchError, match="the browser was closed"):
        drawn(chromium, f"{app.url}/")


@pytest.mark.parametrize("program", ["/bin/false", "/nowhere/chromium"])
def test_browser_that_does_not_start_is_an_error_of_one_line(forbidden: Listener, app: WebServer, program: str) -> None:
    with Chromium(network_without(forbidden), executable=Path(program)) as chromium, pytest.raises(FetchError) as caught:
        drawn(chromium, f"{app.url}/")
    assert f"{program} does not start" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_missing_browser_is_an_error_that_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(installation, "PATHS", ())
    with pytest.raises(UsageError, match="apt install chromium"):
        require_chromium()
    monkeypatch.setattr(installation, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="make install EXTRAS=web"):
        require_chromium()
