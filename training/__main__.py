"""``python -m training``: the same as ``slimdial-train``, for torchrun."""

from training.cli import app

if __name__ == "__main__":
    app()
