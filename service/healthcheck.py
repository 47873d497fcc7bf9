"""``python -m service.healthcheck``: 0 if the service on this machine is ready (for containers).

Needs neither curl nor anything else that an image would have to hold for this alone.
"""

import os
import sys
import urllib.request


def main() -> int:
    """Asks ``/readyz`` on the port of ``SLIMDIAL_PORT``."""
    port = int(os.environ.get("SLIMDIAL_PORT", "8000"))
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as response:
            return 0 if response.status == 200 else 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
