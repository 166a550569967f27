// A batch of sealed blocks from the queue → Parquet in R2 and rollups in D1, then word to each device's object.

import { dateOf } from "../../../core/archive/key.ts";
import { decodeBlock, readBlockHeader } from "../../../core/block/decode.ts";
import { type BlockMessage, blockMessage } from "../../../schemas/message.ts";
import { inLanes } from "../../lanes.ts";
import { logFailure } from "../../missing-migration.ts";
import { warmIndexOf, warmsOf } from "../../warm.ts";
import type { AggregateEnv } from "../env.ts";
import type { DecodedBlock } from "./store-blocks.ts";
import { newerThanStored, storeBlocks } from "./store-blocks.ts";

/** Back-off of a message that could not be stored: doubling from 5 s. */
const RETRY_SECONDS = 5;
const RETRY_SECONDS_MAX = 3_600;
/** Devices told at once that their blocks are stored. */
const CONFIRMED_AT_ONCE = 50;

/**
 * Readings decoded at once: with their columns and the file in the making some 60 bytes each, of the 128 MB of a Worker.
 * A batch of a hundred busy devices holds many times that.
 */
const READINGS_AT_ONCE = 250_000;

interface Received {
  message: Message<unknown>;
  sealed: BlockMessage;
  readingCount: number;
}

/**
 * Stores a batch of sealed blocks, however often each comes: blocks that storage has, or of a life that is over, are
 * only confirmed again; those of a life that storage does not take yet are retried later. A message that is no block
 * is dropped with a log line (its object sends the block again); a storage error delays only its slice. Never throws
 * for either.
 */
export async function consumeBlocks(batch: MessageBatch<unknown>, env: AggregateEnv): Promise<void> {
  const received = batch.messages.map(receive).filter((entry) => entry !== undefined);
  const databases = warmsOf(env);
  const numberOf = ({ tenant, device }: BlockMessage) => warmIndexOf(tenant, device, databases.length);
  const days = Map.groupBy(
    received,
    ({ sealed }) => `${numberOf(sealed)}/${sealed.tenant}/${dateOf(sealed.startMs)}`,
  );
  for (const day of days.values()) {
    const database = databases[numberOf(day[0]!.sealed)]!;
    for (const slice of slicesOf(day)) await consumeSlice(slice, database, env);
  }
}

/** Pieces of a day's blocks, each of at most `READINGS_AT_ONCE` readings or of one block. */
function slicesOf(day: readonly Received[]): Received[][] {
  const slices: Received[][] = [];
  let room = 0;
  for (const entry of day) {
    if (entry.readingCount > room) {
      slices.push([]);
      room = READINGS_AT_ONCE;
    }
    slices.at(-1)!.push(entry);
    room -= entry.readingCount;
  }
  return slices;
}

async function consumeSlice(
  slice: readonly Received[],
  database: D1Database,
  env: AggregateEnv,
): Promise<void> {
  const sealed = slice.map((entry) => entry.sealed);
  try {
    const { fresh, early } = await newerThanStored(database, sealed);
    const decoded = fresh.map(decode).filter((block) => block !== undefined);
    if (decoded.length > 0) await storeBlocks(database, env.COLD, decoded);
    const lives = new Set(early.map(lifeOf)); // the same block may be among them twice
    const isEarly = (block: BlockMessage) => lives.has(lifeOf(block));
    for (const { message, sealed } of slice) {
      if (isEarly(sealed)) retry(message);
      else message.ack();
    }
    const broken = fresh.filter(({ block }) => decoded.every(({ bytes }) => bytes !== block));
    await confirmBlocks(
      env,
      sealed.filter((block) => !broken.includes(block) && !isEarly(block)),
    );
  } catch (error) {
    logFailure("error", "blocks not stored; they are tried again", { blocks: slice.length }, error);
    for (const { message } of slice) retry(message);
  }
}

const lifeOf = ({ device, generation }: BlockMessage) => `${generation}/${device}`;

function retry(message: Message<unknown>): void {
  const delaySeconds = Math.min(RETRY_SECONDS_MAX, RETRY_SECONDS * 2 ** (message.attempts - 1));
  message.retry({ delaySeconds });
}

function receive(message: Message<unknown>): Received | undefined {
  try {
    const sealed = blockMessage.parse(message.body);
    return { message, sealed, readingCount: readBlockHeader(sealed.block).readingCount };
  } catch (error) {
    console.error("message is no block; dropped", { id: message.id, error: String(error) });
    message.ack();
    return undefined;
  }
}

function decode({
  block: bytes,
  ...sealed
}: BlockMessage): (DecodedBlock & { bytes: Uint8Array }) | undefined {
  try {
    return { ...sealed, bytes, block: decodeBlock(bytes) };
  } catch (error) {
    const { tenant, device, startMs } = sealed;
    console.error("block cannot be decoded; dropped", { tenant, device, startMs, error: String(error) });
    return undefined;
  }
}

/** One call a device. What is not heard is sent again by the object, found stored, and confirmed again. */
async function confirmBlocks(env: AggregateEnv, blocks: readonly BlockMessage[]): Promise<void> {
  const devices = [...Map.groupBy(blocks, ({ tenant, device }) => `${tenant}/${device}`)];
  await inLanes(devices, CONFIRMED_AT_ONCE, async ([name, own]) => {
    const stored = own.map(({ startMs, revision, generation }) => ({ startMs, revision, generation }));
    await Promise.allSettled([env.DEVICE.getByName(name).confirm(stored)]);
  });
}
