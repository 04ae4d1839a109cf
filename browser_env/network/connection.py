"""TCP connections to checked addresses, each with a deadline.

A page decides where its links lead, so a host name is not trusted because it looks public. It is resolved once, here. All of
its IP addresses must be allowed, and the connection goes to one of them; the name is used only for the Host header and TLS.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterable
from ssl import SSLContext
from typing import Any

import httpcore

from browser_env.errors import Refused, Unreachable
from browser_env.network.addresses import IPAddress, is_public
from browser_env.network.settings import NetworkSettings

Resolver = Callable[[str, int], Iterable[str]]
"""Returns the IP addresses of a host name and port; raises OSError."""


def resolve(host: str, port: int) -> list[str]:
    """IP addresses of a host, from the operating system's resolver."""
    return [str(address[0]) for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class CheckedConnections(httpcore.NetworkBackend):
    """Connects to public addresses, or those that the settings allow, before a deadline.

    Args:
        settings: Whether loopback and private addresses are allowed.
        resolver: Returns the addresses of a host name.
        deadline: Time of `time.monotonic` after which every operation fails.
    """

    def __init__(self, settings: NetworkSettings, resolver: Resolver, deadline: float) -> None:
        self._settings = settings
        self._resolver = resolver
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._resolve(host, port)
        for address in addresses:
            if not self._is_allowed(address):
                raise Refused(f"{host} is not on the public internet ({address})")
        for address in addresses[:-1]:
            try:
                return self._connect(address, port)
            except httpcore.ConnectError:
                continue  # the next address may answer
        return self._connect(addresses[-1], port)

    def _is_allowed(self, address: IPAddress) -> bool:
        is_allowed_loopback = self._settings.allow_loopback and address.is_loopback
        return self._settings.allow_private or is_allowed_loopback or is_public(address)

    def _connect(self, address: IPAddress, port: int) -> httpcore.NetworkStream:
        stream = self._sockets.connect_tcp(str(address), port, timeout=_seconds_left(self._deadline))
        return _DeadlineStream(stream, self._deadline)

    def _resolve(self, host: str, port: int) -> list[IPAddress]:
        """Resolve a host name in a thread that is abandoned at the deadline, because the system's resolver has no timeout."""
        answer: list[str] | OSError | None = None

        def ask() -> None:
            nonlocal answer
            try:
                answer = list(self._resolver(host, port))
            except (OSError, UnicodeError) as error:
                answer = OSError(str(error))

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(_seconds_left(self._deadline))
        match answer:
            case None:
                raise httpcore.ConnectTimeout
            case OSError():
                raise Unreachable(f"the host {host} is not known") from answer
            case []:
                raise Unreachable(f"the host {host} has no address")
            case _:
                return [ipaddress.ip_address(address.partition("%")[0]) for address in answer]


class _DeadlineStream(httpcore.NetworkStream):
    """A connection whose reads and writes all end at one deadline, so that a server that sends slowly cannot keep it open."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _seconds_left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _seconds_left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, _seconds_left(self._deadline))
        return _DeadlineStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _seconds_left(deadline: float) -> float:
    """Seconds until a deadline.

    Raises:
        httpcore.ReadTimeout: The deadline has passed.
    """
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise httpcore.ReadTimeout
    return seconds
