// Runs the published JavaScript client against the protocol peer: every call the peer knows, and the
// answers a real server would give. Argument: the peer's connection string.

const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");
const db = require("@kurrent/kurrentdb-client");

const event = (number) =>
  db.binaryEvent({
    id: `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`,
    type: "Numbered",
    data: Buffer.from(`data ${number}`),
    metadata: Buffer.from(`{"$correlationId":"${number}"}`),
  });

const all = async (reading) => {
  const events = [];
  for await (const { event } of reading) events.push(event);
  return events;
};

const main = async (url) => {
  const client = db.KurrentDBClient.connectionString(url);
  const name = `numbers-${randomUUID()}`;
  await assert.rejects(all(client.readStream(name)), db.StreamNotFoundError);
  const first = [0, 1, 2].map(event);
  const none = { streamState: db.NO_STREAM };
  const written = await client.appendToStream(name, first, none);
  assert.equal(written.success, true);
  assert.equal(written.nextExpectedRevision, 2n);
  // The same events at the same place are the same append.
  const again = await client.appendToStream(name, first, none);
  assert.equal(again.nextExpectedRevision, 2n);
  for (const streamState of [db.NO_STREAM, 0n, 7n]) {
    await assert.rejects(
      client.appendToStream(name, [db.jsonEvent({ type: "Other", data: {} })], { streamState }),
      (error) => error instanceof db.WrongExpectedVersionError && error.actualState === 2n,
    );
  }
  await client.appendToStream(name, [event(3), event(4)], { streamState: 2n });
  await client.appendToStream(name, [event(5)], { streamState: db.ANY });
  const read = await all(client.readStream(name));
  assert.deepEqual(read.map((e) => e.revision), [0n, 1n, 2n, 3n, 4n, 5n]);
  assert.deepEqual(read.map((e) => Buffer.from(e.data).toString()), [0, 1, 2, 3, 4, 5].map((n) => `data ${n}`));
  const places = read.map((e) => e.position.commit);
  assert.ok(places.every((place, at) => at === 0 || place > places[at - 1]));
  const back = await all(
    client.readStream(name, { direction: db.BACKWARDS, fromRevision: db.END, maxCount: 2 }),
  );
  assert.deepEqual(back.map((e) => e.revision), [5n, 4n]);
  // Everything, from a place on, by prefix.
  const filter = db.streamNameFilter({ prefixes: [name] });
  const from = await all(client.readAll({ fromPosition: read[3].position, filter }));
  assert.deepEqual(from.map((e) => e.revision), [3n, 4n, 5n]);
  // Subscriptions go on behind the place, and are told of what comes.
  const subscription = client.subscribeToAll({ fromPosition: read[3].position, filter });
  const seen = [];
  for await (const { event: found } of subscription) {
    seen.push(found.revision);
    if (seen.length === 2) await client.appendToStream(name, [event(6)], { streamState: 5n });
    if (seen.length === 3) break;
  }
  assert.deepEqual(seen, [4n, 5n, 6n]);
  await subscription.unsubscribe();
  // Settings, deletion, tombstone.
  await client.setStreamMetadata(name, { maxCount: 2 });
  assert.equal((await client.getStreamMetadata(name)).metadata.maxCount, 2);
  assert.deepEqual((await all(client.readStream(name))).map((e) => e.revision), [5n, 6n]);
  await client.deleteStream(name);
  await assert.rejects(all(client.readStream(name)), db.StreamNotFoundError);
  await client.tombstoneStream(name);
  await assert.rejects(all(client.readStream(name)), db.StreamDeletedError);
  await assert.rejects(client.appendToStream(name, [event(9)], { streamState: db.ANY }), db.StreamDeletedError);
  await client.dispose();
};

main(process.argv[2]).then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
