"""Makes Ed25519 keys for cryptosign: the private one in a file that nobody else reads, the public one to hand out."""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def write_new_key(path: str) -> str:
    """Write a new private key, 32 bytes in hexadecimal, and return the public one, likewise.

    Raises:
        OSError: the file is there already, or can't be written.
    """
    key = Ed25519PrivateKey.generate()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{key.private_bytes_raw().hex()}\n")
    return key.public_key().public_bytes_raw().hex()
