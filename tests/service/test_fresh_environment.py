"""Serving in a fresh virtual environment, installed as a user installs it: without torch.

Slow (a minute or two), and needs a package index. Leave it out with
``--ignore tests/service/test_fresh_environment.py``; ``test_server.py`` has a fast stand-in.
"""

import os
import re
import shutil
import subprocess
import venv
from pathlib import Path

import httpx
from packaging.utils import canonicalize_name

from tests.service.process import serving
from tests.service.running import encoded, picture

ROOT = Path(__file__).parents[2]
SOURCES = ("service", "model_store", "training", "pyproject.toml", "README.md", "constraints.txt")


def test_serving_works_where_torch_was_never_installed(models_root: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    # From a copy: a build in the checkout would leave its traces there.
    sources = tmp_path / "sources"
    sources.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "models")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, sources / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, sources / name)

    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run(
        [
            *pip,
            "install",
            "--quiet",
            "--no-compile",
            "--constraint",
            str(sources / "constraints.txt"),
            sources,
        ],
        check=True,
    )
    freeze = subprocess.run([*pip, "freeze"], check=True, capture_output=True, text=True).stdout
    installed = {canonicalize_name(re.split(r"==| @ ", line)[0]) for line in freeze.splitlines()}
    constraints = (ROOT / "constraints.txt").read_text().splitlines()[1:]
    pinned = {canonicalize_name(line.partition("==")[0]) for line in constraints}
    assert installed - pinned == {"slimdial"}
    assert "torch" not in installed
    subprocess.run([*pip, "check"], check=True)
    train = subprocess.run([environment / "bin" / "slimdial-train"], capture_output=True, text=True)
    assert train.returncode == 1
    assert train.stderr.startswith("slimdial-train needs PyTorch")

    command = (str(environment / "bin" / "slimdial"),)
    arguments = ["--models-root", str(models_root)]
    # Away from the checkout, so that what is imported is what was installed.
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    with serving(arguments, tmp_path / "data", command, folder=tmp_path, environ=clean) as process:
        response = httpx.post(
            f"{process.url}/predict?budget=0.005&preference.depth=1",
            content=encoded(picture()),
            headers={"content-type": "image/png"},
            timeout=60,
        )
        assert response.status_code == 200, response.text
        assert set(response.json()["outputs"]) == {
            "animals",
            "semseg",
            "depth",
            "normals",
            "edges",
            "saliency",
        }
