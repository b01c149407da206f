"""JupyterHub for a class on one machine, with its ordinary accounts. README.md beside this file says the steps."""

import os
import pwd
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from jupyterhub.spawner import LocalProcessSpawner
from tornado.web import HTTPError

LESSONS = Path(__file__).resolve().parents[2]  # shared: all accounts read it, none writes it
HUB = LESSONS / ".venv-hub" / "bin"
# Not `git daemon`, which would leave it running behind a hub that has been stopped.
GIT_DAEMON = subprocess.check_output(["git", "--exec-path"], text=True).strip() + "/git-daemon"
PORT = 8000
GIT_PORT = 9418  # of this machine only
MEMORY = "3G"  # of each process of an account: docs/hub/README.md says what lessons take
THREADS = 1  # of each kernel; two where there are as many cores as learners
IDLE_S = 3600  # a server that nobody has used for so long is stopped; what is saved stays


def refuse_what_cannot_work() -> None:
    """End in one line that names the remedy, before the hub says the same in a hundred."""
    if os.geteuid() != 0:
        sys.exit("Start the hub as root: only root can start a server for each account.")
    for place in (LESSONS, *LESSONS.iterdir()):
        if not place.is_symlink() and place.stat().st_mode & 0o022:
            sys.exit(f"{place} can be written by others than root: chmod -R go-w {LESSONS}")
    for place in (LESSONS, (LESSONS / ".venv" / "bin" / "python").resolve()):
        for folder in (place, *place.parents):
            if not folder.stat().st_mode & 0o001:
                sys.exit(
                    f"Accounts cannot reach {place}, since {folder} is closed to them: put the lessons into /srv, "
                    "and set them up with a Python that all can run: make clean, then make hub PYTHON=/usr/bin/python3"
                )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", PORT))
        except OSError as error:
            if not Path("jupyterhub-proxy.pid").exists():  # of a hub that was killed, which the next one ends
                sys.exit(f"Port {PORT}: {error.strerror}. Stop what uses it (ss -ltnp), or change PORT in {__file__}.")


class Account(LocalProcessSpawner):
    """The server of an account, with the limits that a process can have without a container."""

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        become_account, limit = super().make_preexec_fn(name), self.mem_limit

        def prepare() -> None:
            # A kernel that asks for more gets an error, which the lesson shows; it is not killed.
            if limit:
                resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
            become_account()

        return prepare

    async def start(self) -> tuple[str, int]:
        home = Path(pwd.getpwnam(self.user.name).pw_dir)
        if not home.is_dir():
            error = HTTPError(500, f"{self.user.name} has no home {home}: mkhomedir_helper {self.user.name}")
            error.jupyterhub_message = error.log_message
            raise error
        if not self.mem_limit:
            self.log.warning(
                "%s has no memory limit, and may take what the others need: set c.Spawner.mem_limit", self.user.name
            )
        return await super().start()


refuse_what_cannot_work()

c = get_config()  # noqa: F821  JupyterHub brings it
c.JupyterHub.bind_url = f"http://:{PORT}"
c.ConfigurableHTTPProxy.command = [str(HUB / "configurable-http-proxy")]

# Who: accounts of this machine that are in this group, with the password of the machine.
c.PAMAuthenticator.allowed_groups = {"learners"}

c.JupyterHub.spawner_class = Account
c.Spawner.cmd = [str(HUB / "jupyterhub-singleuser")]
c.Spawner.default_url = "/lab"
c.Spawner.http_timeout = c.Spawner.start_timeout = 120  # thirty start at once
c.Spawner.mem_limit = MEMORY
c.Spawner.cpu_limit = THREADS
c.Spawner.environment = {"TORCH_HOME": str(LESSONS / "data" / "downloads" / "torch")}

c.JupyterHub.services = [
    {
        "name": "idle-culler",
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={IDLE_S}"],
    },
    {
        # The branch `notebooks`, which `make hub` makes, for nbgitpuller; to this machine only.
        "name": "lessons",
        "command": [
            *(GIT_DAEMON, "--listen=127.0.0.1", f"--port={GIT_PORT}", "--reuseaddr"),
            *("--export-all", f"--base-path={LESSONS.parent}", str(LESSONS)),
        ],
        "user": "nobody",  # to whom git shows a folder of root only where it is told that it may
        "environment": {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        },
    },
]
c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["idle-culler"],
    }
]
