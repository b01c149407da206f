"""Python imports this when it starts with this folder on PYTHONPATH: a notebook's kernel cannot leave the machine."""

import socket

LOCAL = (None, "", "127.0.0.1", "::1", "localhost", socket.gethostname())
connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo


def refuse_unless_local(host):
    """Another machine, by name or number, raises what no code that forgives an OSError can hide."""
    if host not in LOCAL:
        raise RuntimeError(f"Notebooks run with the network off; this one asked for {host!r}.")


def guarded_connect(self, address):
    if isinstance(address, tuple):
        refuse_unless_local(address[0])
    return connect(self, address)


def guarded_getaddrinfo(host, *args, **kwargs):
    refuse_unless_local(host)
    return getaddrinfo(host, *args, **kwargs)


socket.socket.connect, socket.getaddrinfo = guarded_connect, guarded_getaddrinfo
