"""Secrets that are handed out once; the ledger keeps only what they are known by."""

import hashlib
import secrets


def new_secret() -> str:
    """256 random bits, fit for an address or a cookie."""
    return secrets.token_urlsafe(32)


def known_by(secret: str) -> str:
    """SHA-256 in hexadecimal: enough for a secret of 256 random bits, which nobody can guess."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
