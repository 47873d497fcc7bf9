"""Certificates of an authority of the tests, made by openssl."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

PASSWORD = "sesame-of-the-key"

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, in PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """What signs certificates."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """Its own."""
        return self.folder / "ca.pem"

    @staticmethod
    def make(folder: Path) -> "Authority":
        """A new one."""
        made = Authority(folder)
        subject = ("-subj", "/CN=tests", "-days", "2", "-keyout", folder / "ca.key")
        _openssl("req", "-x509", *_NEW, *subject, "-out", made.certificate)
        return made

    def signed(self, name: str) -> Certificate:
        """A certificate of localhost and 127.0.0.1."""
        made = Certificate(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        request = self.folder / f"{name}.csr"
        alternatives = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        subject = ("-subj", f"/CN={name}", "-keyout", made.key)
        _openssl("req", *_NEW, *subject, *alternatives, "-out", request)
        ca = ("-CA", self.certificate, "-CAkey", self.folder / "ca.key", "-days", "2")
        copied = ("-copy_extensions", "copy")
        _openssl("x509", "-req", "-in", request, *ca, *copied, "-out", made.certificate)
        return made


def encrypted(key: Path) -> Path:
    """The same key, with a password."""
    made = key.with_suffix(".encrypted")
    _openssl("pkcs8", "-topk8", "-in", key, "-passout", f"pass:{PASSWORD}", "-out", made)
    return made


_NEW = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
