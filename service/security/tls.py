"""TLS as uvicorn takes it, tried out before anything else is begun."""

import ssl
from pathlib import Path
from typing import Any

from service.settings import Settings


class TlsError(Exception):
    """Certificate, key or authorities cannot be used; the message says which, and why."""


def tls_options(settings: Settings) -> dict[str, Any]:
    """What uvicorn is told; nothing without a certificate.

    Raises:
        TlsError: a file cannot be read, or the key is not that of the certificate.
    """
    certificate, authorities = settings.tls_certificate, settings.tls_client_ca
    if certificate is None:
        return {}
    key = settings.tls_key or certificate
    secret = settings.tls_key_password
    password = None if secret is None else secret.get_secret_value()
    for name, file in (("certificate", certificate), ("key", key), ("client_ca", authorities)):
        if file is not None:
            _readable(f"tls_{name}", file)
    _try(certificate, key, password, authorities)
    return {
        "ssl_certfile": str(certificate),
        "ssl_keyfile": str(key),
        "ssl_keyfile_password": password,
        "ssl_ca_certs": None if authorities is None else str(authorities),
        "ssl_cert_reqs": ssl.CERT_NONE if authorities is None else ssl.CERT_REQUIRED,
    }


def _readable(setting: str, file: Path) -> None:
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise TlsError(f"{setting}: {file} cannot be read: {error.strerror}") from None


def _try(certificate: Path, key: Path, password: str | None, authorities: Path | None) -> None:
    asked = False

    def answer() -> str:  # without this, OpenSSL would ask on the terminal
        nonlocal asked
        asked = True
        return password or ""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(certificate)
    except ssl.SSLError:
        raise TlsError(f"tls_certificate: {certificate} holds no certificate in PEM") from None
    try:
        context.load_cert_chain(certificate, key, answer)
    except ssl.SSLError as error:
        if asked:
            why = "is encrypted, and tls_key_password is not its password"
        elif error.reason in ("KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
            why = "is not the key of the certificate"
        else:
            why = "holds no private key in PEM"
        raise TlsError(f"tls_key: {key} {why}") from None
    try:
        if authorities is not None:
            context.load_verify_locations(authorities)
    except ssl.SSLError:
        raise TlsError(f"tls_client_ca: {authorities} holds no certificate in PEM") from None
