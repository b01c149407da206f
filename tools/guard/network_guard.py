"""Keeps tests and notebooks off the network: whatever leaves this machine raises."""

import ipaddress
import socket

LOCAL_NAMES = {"", "localhost", socket.gethostname()}


class NetworkBlocked(RuntimeError):
    """No OSError: code that forgives a failing network must not be able to hide that it tried."""


def is_local(host: str | bytes | None) -> bool:
    """Whether a host, by name or by number, is this machine."""
    name = host.decode() if isinstance(host, bytes) else host or ""
    if name in LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def refuse_unless_local(host: str | bytes | None) -> None:
    """Raises NetworkBlocked, naming the host, where it is not this machine."""
    if not is_local(host):
        raise NetworkBlocked(f"Tests and notebooks run with the network off; this one asked for {host!r}.")


def install() -> None:
    """Guards every socket and every look-up of this process; a second call changes nothing."""
    if hasattr(socket, "unguarded_getaddrinfo"):
        return
    socket.unguarded_getaddrinfo = socket.getaddrinfo

    def guarded_look_up(look_up):
        def guarded(host, *args, **kwargs):
            refuse_unless_local(host)
            return look_up(host, *args, **kwargs)

        return guarded

    def guarded_send(send):
        def guarded(self, *args):
            if args and isinstance(args[-1], tuple):  # a Unix socket's address is a path
                refuse_unless_local(args[-1][0])
            return send(self, *args)

        return guarded

    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        setattr(socket, name, guarded_look_up(getattr(socket, name)))
    for name in ("connect", "connect_ex", "sendto"):
        setattr(socket.socket, name, guarded_send(getattr(socket.socket, name)))
