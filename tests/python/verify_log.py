#!/usr/bin/env python3
"""Verifies an idledger's transparency log and proofs, from FORMAT.md section 15 and RFC 6962 alone.

    verify_log.py MIRROR KEY [PROOF]...

MIRROR is a directory with `checkpoint` and `tile/`, KEY the log's verifier key, PROOF files are what `idledger
prove` writes. Prints one line for what was found good and exits 0; at the first thing that is wrong it says
what, and exits 4. Needs Python 3.9, `cryptography` and `blake3`.
"""

import base64
import hashlib
import json
import pathlib
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from verify_event import Cursor, Wrong, decode_envelope
from blake3 import blake3


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf(entry):
    return sha(b"\0", entry)


def node(left, right):
    return sha(b"\1", left, right)


def unbase64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Wrong(f"not base64: {error}") from None
    if base64.b64encode(data).decode() != text:
        raise Wrong("base64 in another spelling")
    return data


def open_note(note, key):
    """The text of a signed note, if KEY signed it."""
    name, ident, public = key.split("+", 2)
    public = unbase64(public)
    if public[:1] != b"\1" or len(public) != 33:
        raise Wrong("not an Ed25519 key")
    if sha(name.encode(), b"\n", public)[:4].hex() != ident:
        raise Wrong("the key's id is not its own")
    text, lines = note.rsplit("\n\n", 1)
    text += "\n"
    found = 0
    for line in lines.splitlines():
        if not line.startswith("\u2014 "):
            raise Wrong("not a signature line")
        signer, signature = line[2:].split(" ", 1)
        signature = unbase64(signature)
        if signer != name or signature[:4].hex() != ident:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature[4:], text.encode())
        except InvalidSignature:
            raise Wrong("the log's signature does not verify") from None
        found += 1
    if found != 1:
        raise Wrong(f"{found} signatures by the log's key")
    return name, text


def checkpoint(note, key):
    name, text = open_note(note, key)
    lines = text.split("\n")
    if len(lines) != 4 or lines[0] != name or str(int(lines[1])) != lines[1]:
        raise Wrong("not a checkpoint of this log")
    root = unbase64(lines[2])
    if len(root) != 32:
        raise Wrong("the root is not 32 bytes")
    return int(lines[1]), root


def mth(hashes):
    """RFC 6962 section 2.1, as written there."""
    if not hashes:
        return sha()
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node(mth(hashes[:k]), mth(hashes[k:]))


def tile_name(kind, index, width):
    text = f"{index % 1000:03}"
    while index >= 1000:
        index //= 1000
        text = f"x{index % 1000:03}/{text}"
    return f"tile/{kind}/{text}" + (f".p/{width}" if width < 256 else "")


def check_mirror(place, size, root):
    leaves = []
    for first in range(0, size, 256):
        width = min(256, size - first)
        data = (place / tile_name("entries", first // 256, width)).read_bytes()
        if len(data) != 34 * width:
            raise Wrong("a bundle of another length")
        for at in range(0, len(data), 34):
            if data[at:at + 2] != b"\0\x20":
                raise Wrong("an entry of another length")
            leaves.append(leaf(data[at + 2:at + 34]))
    if mth(leaves) != root:
        raise Wrong("the entries do not lead to the signed root")
    level, row = 0, leaves
    while row:
        for first in range(0, len(row), 256):
            part = row[first:first + 256]
            name = tile_name(level, first // 256, len(part))
            if (place / name).read_bytes() != b"".join(part):
                raise Wrong(f"{name} holds other hashes")
        row = [mth(row[at:at + 256]) for at in range(0, len(row) - 255, 256)]
        level += 1


def check_inclusion(entry_leaf, index, size, path, root):
    """Goes down as RFC 6962 section 2.1.1 does, and up again with the path."""
    def climb(index, size, path):
        if size == 1:
            if path:
                raise Wrong("the path is too long")
            return entry_leaf
        if not path:
            raise Wrong("the path is too short")
        k = 1 << ((size - 1).bit_length() - 1)
        if index < k:
            return node(climb(index, k, path[:-1]), path[-1])
        return node(path[-1], climb(index - k, size - k, path[:-1]))
    if not 0 <= index < size or climb(index, size, path) != root:
        raise Wrong("the inclusion proof does not lead to the root")


def check_consistency(old, old_root, new, root, path):
    """RFC 6962 section 2.1.2, read backwards: both roots come out of the path."""
    def climb(old, new, whole, path):
        if old == new:
            if whole:
                return old_root, old_root, path
            return path[0], path[0], path[1:]
        k = 1 << ((new - 1).bit_length() - 1)
        if old <= k:
            one, two, rest = climb(old, k, whole, path)
            return one, node(two, rest[0]), rest[1:]
        one, two, rest = climb(old - k, new - k, False, path)
        return node(rest[0], one), node(rest[0], two), rest[1:]
    if old == 0:
        if path or old_root != sha():
            raise Wrong("not the empty tree")
        return
    try:
        one, two, rest = climb(old, new, True, path)
    except (IndexError, RecursionError):
        raise Wrong("the consistency proof is too short") from None
    if rest or one != old_root or two != root:
        raise Wrong("the consistency proof does not lead to the roots")


def take_apart(record):
    """Envelope bytes, signature, and the envelope decoded: section 2."""
    c = Cursor(record)
    envelope = c.take(c.number("I"))
    return envelope, c.take(64), decode_envelope(envelope)


def check_event(proof, key):
    size, root = checkpoint(proof["checkpoint"], key)
    entry = bytes.fromhex(proof["entry"])
    if "record" in proof:
        envelope, signature, _ = take_apart(unbase64(proof["record"]))
        if sha(envelope, signature) != entry:
            raise Wrong("the record is not the entry")
    check_inclusion(leaf(entry), proof["index"], size, [unbase64(h) for h in proof["path"]], root)
    return f"event {proof['index']} of {size}"


def check_proof(proof, key):
    kind = proof["schema"]
    if kind == "idledger.event-proof/1":
        return check_event(proof, key)
    if kind == "idledger.consistency-proof/1":
        size, root = checkpoint(proof["checkpoint"], key)
        path = [unbase64(h) for h in proof["path"]]
        check_consistency(proof["old_size"], unbase64(proof["old_root"]), size, root, path)
        return f"{proof['old_size']} of {size}"
    if kind == "idledger.stream-proof/1":
        link, entry = bytes(32), None
        for revision, record in enumerate(proof["records"]):
            envelope, signature, e = take_apart(unbase64(record))
            if e["revision"] != revision or e["link"] != link:
                raise Wrong(f"event {revision} of the stream does not follow the one before")
            link = blake3(b"idledger-link/v1\0" + envelope + signature).digest()
            entry = sha(envelope, signature)
        if entry is None or entry.hex() != proof["newest"]["entry"]:
            raise Wrong("the newest event is not the one that is proved")
        return f"stream of {len(proof['records'])}, newest {check_event(proof['newest'], key)}"
    raise Wrong(f"unknown sort of proof: {kind}")


def main():
    place, key, proofs = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    try:
        size, root = checkpoint((place / "checkpoint").read_text(encoding="utf-8"), key)
        check_mirror(place, size, root)
        print(f"log of {size} entries, root {base64.b64encode(root).decode()}")
        for proof in proofs:
            print(check_proof(json.loads(pathlib.Path(proof).read_text(encoding="utf-8")), key))
    except (Wrong, FileNotFoundError, KeyError, TypeError, ValueError) as error:
        print(f"wrong: {error}", file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
