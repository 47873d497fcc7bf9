"""The API keys of a running service, which follow their file."""

import asyncio
import logging
from pathlib import Path

from prometheus_client import Gauge

from service.security.key_file import read_keys
from service.security.keys import Key, KeysError

log = logging.getLogger(__name__)

RELOAD_S = 1.0
"""How often the file is looked at."""


class Keyring:
    """Keys that are read again when their file changes."""

    def __init__(self, file: Path, up: Gauge) -> None:
        """Reads the file.

        Args:
            file: as ``slimdial key`` writes it.
            up: told 1 where the keys are those of the file, 0 while it cannot be used.

        Raises:
            KeysError: it cannot be used.
        """
        self._file = file
        self._up = up
        self._keys = read_keys(file)
        self._wrong: str | None = None

    def find(self, presented: str) -> Key | None:
        """As :meth:`Keys.find`."""
        return self._keys.find(presented)

    async def refresh(self) -> None:
        """Looks at the file; while it is missing or broken, the keys stay what they were.

        It is read and not only asked for its time: that misses nothing, whatever writes or mounts
        it.
        """
        try:
            keys = await asyncio.to_thread(read_keys, self._file)
            if keys != self._keys:
                self._keys = keys
                names = ", ".join(key.name for key in keys.keys)
                log.info("the API keys have changed; let in are: %s", names or "none")
            wrong = None
        except KeysError as error:
            wrong = str(error)
        if wrong is not None and wrong != self._wrong:
            log.error("the file of API keys is not used, those before stay in force: %s", wrong)
        elif wrong is None and self._wrong is not None:
            log.info("the file of API keys can be used again")
        self._wrong = wrong
        self._up.set(wrong is None)
