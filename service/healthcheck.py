"""``python -m service.healthcheck``: 0 if the service on this machine is ready (for containers).

Needs neither curl nor anything else that an image would have to hold for this alone.
"""

import os
import ssl
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

_SECRETS = Path("/run/secrets")


def main(secrets: Path = _SECRETS) -> int:
    """Asks ``/readyz`` on the port of ``SLIMDIAL_PORT``, over TLS where the service has it.

    Args:
        secrets: where settings are files.
    """

    def setting(name: str) -> str:
        """As the service reads it: of the environment, else of a file of its name."""
        file = secrets / f"slimdial_{name}"
        kept = file.read_text().strip() if file.is_file() else ""
        return os.environ.get(f"SLIMDIAL_{name.upper()}", kept)

    port = int(setting("port") or "8000")
    try:
        context = _context(setting)
        url = f"{'http' if context is None else 'https'}://127.0.0.1:{port}/readyz"
        with urllib.request.urlopen(url, timeout=2, context=context) as response:  # noqa: S310
            return 0 if response.status == 200 else 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


def _context(setting: Callable[[str], str]) -> ssl.SSLContext | None:
    certificate = setting("tls_certificate")
    if not certificate:
        return None
    # The certificate is one for the service's name, which this machine's own address is not.
    # Nothing is sent that could be stolen, and nothing but a status is believed.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if setting("tls_client_ca"):  # the service has a certificate to show
        key = setting("tls_key") or None
        context.load_cert_chain(certificate, key, setting("tls_key_password"))
    return context


if __name__ == "__main__":
    sys.exit(main())
