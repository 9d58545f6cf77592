"""A real sshd on loopback, unprivileged port, with a configuration of its own; nothing in ~/.ssh is read or written."""

import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DEMOS, REAL, Proxy
from tests.ssh.gateway import Admin, Served
from tests.terminal.driver import PATIENCE, ROOT, Terminal

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
MARK = "LT_SSH_TEST"
CONFIGURATION = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
UsePAM no
UseDNS no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PermitUserRC no
PrintMotd no
PrintLastLog no
"""


def _missing() -> str | None:
    if SSHD is None or not shutil.which("ssh") or not shutil.which("ssh-keygen"):
        return "no SSH server here: install openssh-server"
    if os.geteuid() == 0 and not Path("/run/sshd").is_dir():
        return "sshd run by root wants a folder: mkdir -m 0755 /run/sshd"
    return None


def processes_with(mark: str) -> dict[int, str]:
    """The processes whose environment holds `mark`, with their command lines; no zombies."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "environ").read_bytes():
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            except OSError:
                continue
    return {pid: command for pid, command in found.items() if command}


def descendants(pid: int) -> list[int]:
    """Children of `pid`, and theirs."""
    done = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True, timeout=10)
    parents = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    found, new = [], [pid]
    while new:
        new = [child for child, parent in parents if parent in new]
        found += new
    return found


def _until(holds: object, what: str) -> None:
    assert callable(holds)
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


class Ssh:
    """The server, and clients of it on terminals of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        (self.home / "config" / "litellm-tui").mkdir(parents=True, mode=0o700)
        self.mark = f"{MARK}={uuid.uuid4().hex}"
        self.clients: list[Terminal] = []
        for name in ("host_key", "user_key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(folder / name)],
                check=True,
                timeout=30,
            )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        host_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host_key}\n")
        configuration = folder / "sshd_config"
        configuration.write_text(CONFIGURATION.format(port=self.port, folder=folder))
        assert SSHD is not None
        self._log = (folder / "sshd.log").open("wb")
        self.server = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={"PATH": os.environ["PATH"]},
            start_new_session=True,
        )
        _until(self._listens, "sshd to listen")

    def _listens(self) -> bool:
        assert self.server.poll() is None, self.log
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def log(self) -> str:
        """What sshd said."""
        return (self.folder / "sshd.log").read_text()

    def command(self, *flags: str, term: str | None = None, **env: str) -> str:
        """The app's command line for a shell: the environment of a person's home that holds nothing but the test's.

        The key is not among it; the profile names a file.
        """
        given = {
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "LANG": "C.UTF-8",
            **({"TERM": term} if term else {}),
            **env,
        }
        settings = [f"{name}={value}" for name, value in given.items()]
        program = [sys.executable, "-m", "tui", *flags]
        return f"cd {shlex.quote(str(ROOT))} && exec env {shlex.join([self.mark, *settings, *program])}"

    def profile(self, admin: Admin, user: str) -> None:
        """A configuration that leads to a gateway as `user`, with the key in a file of mode 0600."""
        folder = self.home / "config" / "litellm-tui"
        lines = [f'url = "{admin.url}"', f'user = "{user}"', f'api_key_file = "{folder}/key"']
        text = "\n".join(['default = "test"', "[profiles.test]", *lines, ""])
        for name, content in (("key", f"{admin.master_key}\n"), ("config.toml", text)):
            (folder / name).touch(0o600)
            (folder / name).write_text(content)

    def open(self, command: str, *, term: str = "xterm-256color") -> Terminal:
        """`ssh -tt` on a pseudo-terminal of 80x24, running `command`."""
        options = {
            "Port": self.port,
            "User": getpass.getuser(),
            "IdentityFile": self.folder / "user_key",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "UserKnownHostsFile": self.folder / "known_hosts",
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "ControlPath": "none",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        made = Terminal(
            "ssh", "-F", "/dev/null", "-tt", *words, "127.0.0.1", command, home=self.home, env={"TERM": term}
        )
        self.clients.append(made)
        return made

    def processes(self) -> dict[int, str]:
        """What runs at the far end of any client, wherever it has moved to."""
        return processes_with(self.mark)

    def apps(self) -> list[int]:
        """The processes among them that are the app itself, and not a tmux that was told to run it."""
        return [pid for pid, command in self.processes().items() if command.startswith(f"{sys.executable} -m tui")]

    def cut(self, client: Terminal, where: str) -> None:
        """Drop the connection: kill the `client`, or all of its session at the `server`."""
        if where == "client":
            client.process.kill()
        else:
            for pid in descendants(self.server.pid):
                name = Path(f"/proc/{pid}/comm").read_text().strip()
                if name.startswith("sshd"):
                    os.kill(pid, signal.SIGKILL)
        client.process.wait(PATIENCE)

    def gone(self) -> None:
        """Wait until nothing runs at the far end."""
        _until(lambda: not self.processes(), f"the end of {self.processes()}")

    def files_with(self, *secrets: str) -> list[Path]:
        """The files under the person's home and the test's folder that hold one of `secrets`."""
        return [
            path
            for path in self.folder.rglob("*")
            if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets)
        ]

    def close(self) -> dict[int, str]:
        """End everything; what a lost connection did not end at the far end."""
        for client in self.clients:
            client.close()
        end = time.monotonic() + PATIENCE
        while self.processes() and time.monotonic() < end:
            time.sleep(0.02)
        left = self.processes()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        for pid in [*descendants(self.server.pid), self.server.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.server.wait(PATIENCE)
        self._log.close()
        return left


def _own_ssh_folder() -> list[tuple[str, int, int]]:
    folder = Path("~/.ssh").expanduser()
    return sorted(
        (str(path), path.stat().st_mtime_ns, path.stat().st_size)
        for path in [folder, *folder.rglob("*")]
        if path.exists()
    )


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[Ssh]:
    """A server for one test; whatever the test left running fails it."""
    if why := _missing():
        pytest.skip(why)
    before = _own_ssh_folder()
    # not under pytest's own, whose path is too long for a socket
    with tempfile.TemporaryDirectory(prefix="lt-ssh-") as folder:
        made = Ssh(Path(folder))
        try:
            yield made
        finally:
            left = made.close()
        assert left == {}, f"left running: {left}"
    assert _own_ssh_folder() == before


@pytest.fixture(params=[DEMOS[-1], *REAL], ids=lambda proxy: proxy.name)
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Admin, Served | None]]:
    """A gateway that the far end reaches: the embedded one on a port, with which calls can be held, and the real."""
    proxy: Proxy = request.param
    served = Served(proxy) if proxy.demo else None
    yield Admin(served.url if served else proxy.url, proxy.master_key), served
    if served:
        served.close()


@pytest.fixture
def user(place: tuple[Admin, Served | None]) -> Iterator[str]:
    """A user of that gateway, deleted afterwards with every key."""
    admin, _ = place
    name = f"ssh-{uuid.uuid4().hex[:8]}"
    admin.post("/user/new", {"user_id": name, "user_role": "internal_user", "auto_create_key": False})
    yield name
    admin.forget(name)
