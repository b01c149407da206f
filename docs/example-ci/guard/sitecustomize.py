"""Python imports this when it starts with this folder on PYTHONPATH: a notebook's kernel cannot leave the machine."""

import socket

connect = socket.socket.connect


def guarded_connect(self, address):
    """As `connect`; an address of another machine raises what no code that forgives an OSError can hide."""
    if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise RuntimeError(f"Notebooks run with the network off; this one asked for {address[0]!r}.")
    return connect(self, address)


socket.socket.connect = guarded_connect
