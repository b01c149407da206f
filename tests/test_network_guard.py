"""Tests and the kernels of notebooks stay on this machine."""

import socket
import subprocess
import sys
import urllib.request

import network_guard
import pytest

ELSEWHERE = "192.0.2.1"  # reserved for documentation: nobody answers there


def test_connections_leave_not():
    with socket.socket() as out, pytest.raises(network_guard.NetworkBlocked, match=ELSEWHERE):
        out.connect((ELSEWHERE, 80))
    with socket.socket() as out, pytest.raises(network_guard.NetworkBlocked, match=ELSEWHERE):
        out.connect_ex((ELSEWHERE, 80))
    with socket.socket(type=socket.SOCK_DGRAM) as out, pytest.raises(network_guard.NetworkBlocked, match=ELSEWHERE):
        out.sendto(b"", (ELSEWHERE, 80))


def test_names_are_not_looked_up():
    with pytest.raises(network_guard.NetworkBlocked, match=r"example\.org"):
        socket.getaddrinfo("example.org", 443)
    with pytest.raises(network_guard.NetworkBlocked, match=r"example\.org"):
        socket.gethostbyname("example.org")


def test_urllib_cannot_hide_the_attempt():
    with pytest.raises(network_guard.NetworkBlocked, match="network off"):
        urllib.request.urlopen("http://example.org")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_answers(host):
    with socket.create_server((host, 0)) as server, socket.create_connection(server.getsockname()) as out:
        assert out.getpeername()[1] == server.getsockname()[1]


def test_child_processes_are_guarded():
    program = f"import socket; socket.create_connection(('{ELSEWHERE}', 80))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "NetworkBlocked" in run.stderr


def test_installing_twice_changes_nothing():
    before = socket.getaddrinfo
    network_guard.install()
    assert socket.getaddrinfo is before
