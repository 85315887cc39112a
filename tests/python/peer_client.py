"""Runs the published Python client against the protocol peer: every call the peer knows, and the
answers a real server would give. Arguments: connection strings of a single node and of a cluster."""

import faulthandler
import sys
import threading
from uuid import UUID, uuid4

from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import (
    NotFoundError,
    StreamIsDeletedError,
    WrongCurrentVersionError,
)


def expect(error, call):
    try:
        call()
    except error as caught:
        return caught
    raise AssertionError(f"no {error.__name__}")


def event(number, kind="Numbered"):
    return NewEvent(
        type=kind,
        data=b"data %d" % number,
        metadata=b'{"$correlationId":"%d"}' % number,
        content_type="application/octet-stream",
        id=UUID(int=number + 1),
    )


def streams(client):
    name = f"numbers-{uuid4()}"
    expect(NotFoundError, lambda: client.get_stream(name))
    assert client.get_current_version(name) is StreamState.NO_STREAM
    first = [event(n) for n in range(3)]
    place = client.append_to_stream(
        name, current_version=StreamState.NO_STREAM, events=first
    )
    assert place > 0
    # The same events at the same place are the same append, however often it is asked for.
    client.append_to_stream(name, current_version=StreamState.NO_STREAM, events=first)
    assert client.get_current_version(name) == 2
    # Other events there are a conflict that says where the stream is.
    for version in (StreamState.NO_STREAM, 0, 7):
        other = NewEvent(type="Other", data=b"{}")
        wrong = expect(
            WrongCurrentVersionError,
            lambda: client.append_to_stream(name, current_version=version, events=[other]),
        )
        assert wrong.actual_version == 2, wrong.actual_version
    fresh = f"fresh-{uuid4()}"
    wrong = expect(
        WrongCurrentVersionError,
        lambda: client.append_to_stream(fresh, current_version=4, events=[event(99)]),
    )
    assert wrong.actual_version is StreamState.NO_STREAM
    client.append_events(name, current_version=2, events=[event(3), event(4)])
    client.append_to_stream(name, current_version=StreamState.ANY, events=[event(5)])
    client.append_to_stream(name, current_version=StreamState.EXISTS, events=[event(6)])
    read = list(client.get_stream(name))
    assert [e.stream_position for e in read] == list(range(7))
    assert [e.id for e in read] == [UUID(int=n + 1) for n in range(7)]
    assert [e.data for e in read] == [b"data %d" % n for n in range(7)]
    assert read[1].metadata == b'{"$correlationId":"1"}'
    assert {e.type for e in read} == {"Numbered"}
    assert {e.content_type for e in read} == {"application/octet-stream"}
    places = [e.commit_position for e in read]
    assert places == sorted(set(places)), "places go forward"
    assert places != list(range(places[0], places[0] + 7)), "and are sparse"
    back = list(client.get_stream(name, backwards=True))
    assert [e.stream_position for e in back] == list(reversed(range(7)))
    page = client.get_stream(name, stream_position=2, limit=3)
    assert [e.stream_position for e in page] == [2, 3, 4]
    page = client.get_stream(name, stream_position=4, backwards=True, limit=2)
    assert [e.stream_position for e in page] == [4, 3]
    return name, read


def everything(client, name, read):
    ours = [e for e in client.read_all() if e.stream_name == name]
    assert ours == read
    # From a place on: including what stands there, and backwards without it.
    place = read[3].commit_position
    only = dict(filter_include=[name], filter_by_stream_name=True)
    found = list(client.read_all(commit_position=place, **only))
    assert found == read[3:]
    found = list(client.read_all(commit_position=place, backwards=True, **only))
    assert found == list(reversed(read[:3]))
    # Filters: by prefix, by type, and the usual one that leaves out the server's own.
    only = dict(filter_include=[name[:12]], filter_by_stream_name=True, filter_by_prefix=True)
    assert list(client.read_all(**only)) == read
    assert list(client.read_all(limit=2, **only)) == read[:2]
    kinds = {e.type for e in client.read_all(filter_include=["Numbered"])}
    assert kinds == {"Numbered"}
    assert not any(e.type.startswith("$") for e in client.read_all())
    assert any(e.type.startswith("$") for e in client.read_all(filter_exclude=[]))


def subscriptions(client, name, read):
    with client.subscribe_to_stream(name, stream_position=4) as live:
        assert [next(live) for _ in range(2)] == read[5:]
        client.append_to_stream(name, current_version=6, events=[event(7)])
        assert next(live).stream_position == 7
    place = read[4].commit_position
    only = dict(filter_include=[name], filter_by_stream_name=True)
    with client.subscribe_to_all(commit_position=place, **only) as live:
        assert [next(live).stream_position for _ in range(3)] == [5, 6, 7]
        writer = threading.Thread(
            target=lambda: client.append_to_stream(name, current_version=7, events=[event(8)])
        )
        writer.start()
        assert next(live).stream_position == 8
        writer.join()
    # Checkpoints come although nothing matches; so does the word that the end is reached.
    for number in range(80):
        client.append_to_stream(f"noise-{uuid4()}", current_version=StreamState.NO_STREAM, events=[NewEvent(type="Noise", data=b"{}")])
    seen = set()
    with client.subscribe_to_all(
        filter_include=["nothing-like-this"],
        include_checkpoints=True,
        include_caught_up=True,
        window_size=10,
        checkpoint_interval_multiplier=2,
    ) as live:
        while seen != {"Checkpoint", "CaughtUp"}:
            seen.add(type(next(live)).__name__)


def endings(client):
    name = f"ending-{uuid4()}"
    client.append_to_stream(name, current_version=StreamState.NO_STREAM, events=[event(n) for n in range(4)])
    # Settings hide events.
    assert client.get_stream_metadata(name) == ({}, StreamState.NO_STREAM)
    client.set_stream_metadata(name, metadata={"$maxCount": 2})
    assert client.get_stream_metadata(name)[0] == {"$maxCount": 2}
    assert [e.stream_position for e in client.get_stream(name)] == [2, 3]
    client.set_stream_metadata(name, metadata={}, current_version=StreamState.ANY)
    # A deleted stream is gone, and counts on when it is written again.
    client.delete_stream(name, current_version=3)
    expect(NotFoundError, lambda: client.get_stream(name))
    client.append_to_stream(name, current_version=StreamState.NO_STREAM, events=[NewEvent(type="Again", data=b"{}")])
    assert [e.stream_position for e in client.get_stream(name)] == [4]
    # A tombstone is for ever.
    client.tombstone_stream(name, current_version=StreamState.ANY)
    expect(StreamIsDeletedError, lambda: client.get_stream(name))
    expect(
        StreamIsDeletedError,
        lambda: client.append_to_stream(name, current_version=StreamState.ANY, events=[NewEvent(type="Never", data=b"{}")]),
    )


def main(urls):
    # Whatever hangs says where.
    faulthandler.dump_traceback_later(50, exit=True)
    for url in urls:
        client = KurrentDBClient(uri=url)
        name, read = streams(client)
        everything(client, name, read)
        subscriptions(client, name, read)
        endings(client)
        client.close()


main(sys.argv[1:])
