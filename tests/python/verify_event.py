#!/usr/bin/env python3
"""Decodes and verifies exported events of an idledger, from FORMAT.md alone.

    verify_event.py ARCHIVE [--key HEX]...

ARCHIVE is what `idledger export --format archive` writes. Keys given with --key are trusted; without one,
the key in the ledger's first event is (and later keys if one already trusted signed the event that
added them). Prints one line an event and exits 0; at the first thing that is wrong it says what, and
exits 4. Needs Python 3.9, `cryptography` and `blake3`.
"""

import argparse
import struct
import sys

from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

CATEGORIES = ["account", "personal_id_claim", "phone_claim", "device_claim",
              "principal", "policy", "catalogue", "ledger", "provinces",
              "messages", "document_kinds", "calendar", "intake_sites", "state_seals"]
EVENT_PREFIX = b"idledger-event/v1\0"


class Wrong(Exception):
    """Something does not verify."""


class Cursor:
    """Reads the encoding of section 1, in canonical form only."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if n > len(self.data) - self.at:
            raise Wrong(f"cut short at byte {self.at}")
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def tag(self, count):
        value = self.number("B")
        if value >= count:
            raise Wrong(f"no such tag at byte {self.at - 1}: {value}")
        return value

    def option(self, read):
        return read() if self.tag(2) else None

    def bytes(self):
        return self.take(self.number("Q"))

    def list(self, read):
        return [read() for _ in range(self.number("Q"))]

    def end(self):
        if self.at != len(self.data):
            raise Wrong(f"{len(self.data) - self.at} bytes too many")


def decode_evidence(c):
    """Section 4."""
    tag = c.tag(6)
    if tag in (1, 2):
        return tag, c.take(16)
    if tag in (3, 4):
        return tag, c.bytes() if tag == 3 else c.take(32), c.take(64), c.take(32)
    return (tag,)


def decode_envelope(data):
    """Section 3."""
    if not data.startswith(EVENT_PREFIX):
        raise Wrong("not an event envelope")
    c = Cursor(data[len(EVENT_PREFIX):])
    e = {"event_id": c.take(16), "stream": (c.tag(len(CATEGORIES)), c.take(16)),
         "revision": c.number("Q"), "link": c.take(32), "kind": c.number("H"),
         "schema": c.number("H"), "recorded_at": c.number("q"), "occurred_at": c.number("q"),
         "command": c.take(16), "causation": c.option(lambda: c.take(16)),
         "correlation": c.take(16),
         "actor": (c.number("B"), c.take(16), c.option(lambda: c.take(16))),
         "evidence": decode_evidence(c), "policy": c.number("I"), "catalogue": c.number("I")}

    def refused():
        return c.number("B"), c.number("B"), c.option(lambda: c.number("B"))

    def word():
        database, peer = c.number("B"), c.tag(2)
        return database, (c.bytes(), c.take(64), c.take(32)) if peer else None

    def receipt():
        return (c.number("B"), c.list(lambda: c.number("B")), c.option(refused),
                c.list(lambda: (c.number("B"), c.number("I"))), c.list(word))
    e["receipt"] = c.option(receipt)
    e["facts"] = c.bytes()
    e["sealed"] = c.list(lambda: (c.take(16), c.tag(3), c.take(32)))
    e["ledger_key"] = c.take(16)
    c.end()
    return e


def check_signature(key, signature, message, what):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise Wrong(f"{what} does not verify") from None


def key_id(key):
    return blake3(b"idledger-key/v1\0" + key).digest()[:16]


def check_answer(base, signature, key):
    """Section 4: what a registry signed for its answer."""
    names = [line.split(b": ")[0] for line in base.split(b"\n")]
    if names != [b'"@status"', b'"content-type"', b'"content-digest"', b'"content-digest";req',
                 b'"idledger-nonce"', b'"@signature-params"'] or not base.startswith(b'"@status": 2'):
        raise Wrong("what a registry signed is not an answer")
    if b';keyid="' + key_id(key).hex().encode() + b'"' not in base:
        raise Wrong("an answer names another key than the registry's")
    check_signature(key, signature, base, "the registry's signature on its answer")


class Verifier:
    """Knows the trusted keys and where each stream ends."""

    def __init__(self, keys):
        self.keys = {key_id(key): key for key in keys}
        self.trust_first = not keys
        self.heads = {}

    def record(self, data):
        """Section 2. Returns the envelope and how many sealed parts are there."""
        c = Cursor(data)
        envelope, signature = c.take(c.number("I")), c.take(64)
        parts = [c.take(c.number("I")) for _ in range(c.number("B"))]
        c.end()
        e = decode_envelope(envelope)
        if self.trust_first and e["kind"] == 120 and not self.keys:
            key = e["facts"][18:50]  # LedgerCreated: ledger 16, format u16, key 32
            self.keys[key_id(key)] = key
        if e["ledger_key"] not in self.keys:
            raise Wrong(f"signed by a key that is not trusted: {e['ledger_key'].hex()}")
        check_signature(self.keys[e["ledger_key"]], signature, envelope, "the ledger's signature")
        if e["kind"] == 121 and e["facts"][32] == 0:  # LedgerKeyAdded: key 32, purpose u8 (events)
            self.keys[key_id(e["facts"][:32])] = e["facts"][:32]
        if e["kind"] == 122:  # LedgerKeyRetired: key 32, reason u8
            self.keys.pop(key_id(e["facts"][:32]), None)
        if len(parts) != len(e["sealed"]):
            raise Wrong("not as many sealed parts as commitments")
        for number, (part, (_, _, digest)) in enumerate(zip(parts, e["sealed"])):
            if part and blake3(b"idledger-sealed/v1\0" + part).digest() != digest:
                raise Wrong(f"sealed part {number} is not the one committed to")
        evidence = e["evidence"]
        if evidence[0] == 3:
            check_signature(evidence[3], evidence[2], evidence[1], "the actor's request signature")
        if evidence[0] == 4:
            message = b"idledger-command/v1\0" + e["command"] + evidence[1]
            check_signature(evidence[3], evidence[2], message, "the actor's command signature")
        for _, peer in e["receipt"][4] if e["receipt"] else ():
            if peer:
                check_answer(*peer)
        revision, link = self.heads.get(e["stream"], (-1, bytes(32)))
        # An archive that starts later shows a stream from its middle; from there on links must hold.
        if e["stream"] in self.heads or e["revision"] == 0:
            if e["revision"] != revision + 1 or e["link"] != link:
                raise Wrong(f"the link to revision {revision} of its stream is broken")
        link = blake3(b"idledger-link/v1\0" + envelope + signature).digest()
        self.heads[e["stream"]] = (e["revision"], link)
        return e, link, sum(1 for part in parts if part)


def read_archive(data):
    """Section 9. Yields position, what the archive says of the record, and the record."""
    if len(data) < 68 or blake3(b"idledger-archive/v1\0" + data[:-32]).digest() != data[-32:]:
        raise Wrong("the archive's digest does not match")
    c = Cursor(data[:-32])
    if c.take(8) != b"IDLARC\r\n" or c.number("I") != 1 or c.number("I") > 1:
        raise Wrong("not an archive of version 1")
    position = c.number("Q")
    count = 0
    while (length := c.number("I")) != 0:
        if c.number("Q") != position + count:
            raise Wrong("positions have a gap")
        said = {"revision": c.number("Q"), "stream": (c.number("B"), c.take(16)),
                "event_id": c.take(16), "link": c.take(32)}
        yield position + count, said, c.take(length - 1)
        count += 1
    if c.number("Q") != count:
        raise Wrong("the number of records does not match")
    c.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive")
    parser.add_argument("--key", action="append", default=[], type=bytes.fromhex)
    arguments = parser.parse_args()
    verifier, position = Verifier(arguments.key), None
    try:
        with open(arguments.archive, "rb") as file:
            data = file.read()
        for position, said, record in read_archive(data):
            e, link, parts = verifier.record(record)
            if said != {**{name: e[name] for name in ("revision", "stream", "event_id")},
                        "link": link}:
                raise Wrong("the archive says something else of this record")
            category, stream = e["stream"]
            print(position, e["event_id"].hex(), f"{CATEGORIES[category]}-{stream.hex()}",
                  e["revision"], e["kind"], f"evidence={e['evidence'][0]}", f"parts={parts}")
    except Wrong as wrong:
        print(f"error: position {position}: {wrong}", file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
