"""``slimdial-train``; also ``python -m training``, for torchrun."""

import importlib.util
import sys


def main() -> None:
    """Runs the command line, or says what is missing: serving is installed without PyTorch."""
    if importlib.util.find_spec("torch") is None:
        sys.exit(
            "slimdial-train needs PyTorch, which serving does without. "
            "In the clone: pip install -c constraints.txt '.[train]'"
        )
    from training.cli import app

    app()


if __name__ == "__main__":
    main()
