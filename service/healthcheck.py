"""``python -m service.healthcheck``: 0 if the service on this machine is ready (for containers).

Needs neither curl nor anything else that an image would have to hold for this alone.
"""

import os
import ssl
import sys
import urllib.request


def main() -> int:
    """Asks ``/readyz`` on the port of ``SLIMDIAL_PORT``, over TLS where the service has it."""
    port = int(os.environ.get("SLIMDIAL_PORT", "8000"))
    try:
        context = _context()
        url = f"{'http' if context is None else 'https'}://127.0.0.1:{port}/readyz"
        with urllib.request.urlopen(url, timeout=2, context=context) as response:  # noqa: S310
            return 0 if response.status == 200 else 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


def _context() -> ssl.SSLContext | None:
    certificate = os.environ.get("SLIMDIAL_TLS_CERTIFICATE")
    if not certificate:
        return None
    # The certificate is one for the service's name, which this machine's own address is not.
    # Nothing is sent that could be stolen, and nothing but a status is believed.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if os.environ.get("SLIMDIAL_TLS_CLIENT_CA"):  # the service has a certificate to show
        key = os.environ.get("SLIMDIAL_TLS_KEY") or None
        context.load_cert_chain(certificate, key, os.environ.get("SLIMDIAL_TLS_KEY_PASSWORD", ""))
    return context


if __name__ == "__main__":
    sys.exit(main())
