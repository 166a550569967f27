// A batch of sealed blocks from the queue → Parquet in R2 and rollups in D1, then word to each device's object.

import { dateOf } from "../../core/archive/key.ts";
import { decodeBlock } from "../../core/block/decode.ts";
import { type BlockMessage, blockMessage } from "../../schemas/message.ts";
import type { AggregateEnv } from "./env.ts";
import type { DecodedBlock } from "./store-blocks.ts";
import { newerThanStored, storeBlocks } from "./store-blocks.ts";

/** Back-off of a message that could not be stored: doubling from 5 s. */
const RETRY_SECONDS = 5;
const RETRY_SECONDS_MAX = 3_600;
/** Devices told at once that their blocks are stored. */
const CONFIRMED_AT_ONCE = 50;

/**
 * At-least-once in, idempotent out: blocks that storage has are only confirmed again. A message that is no block is
 * dropped with a log line (its block, if it had one, is sent again by its object); a storage error delays the batch.
 */
export async function consumeBlocks(batch: MessageBatch<unknown>, env: AggregateEnv): Promise<void> {
  const blocks = batch.messages.map((message) => ({ message, block: decodeMessage(message) }));
  for (const { message, block } of blocks) if (block === undefined) message.ack();
  const groups = Map.groupBy(
    blocks.filter(
      (entry): entry is { message: Message<unknown>; block: DecodedBlock } => entry.block !== undefined,
    ),
    ({ block }) => `${block.tenant}/${dateOf(block.startMs)}`,
  );
  for (const group of groups.values()) {
    const decoded = group.map(({ block }) => block);
    try {
      const fresh = await newerThanStored(env.WARM_0, decoded);
      if (fresh.length > 0) await storeBlocks(env, fresh);
      for (const { message } of group) message.ack();
      await confirmBlocks(env, decoded);
    } catch (error) {
      console.error("blocks not stored; they are tried again", {
        blocks: decoded.length,
        error: String(error),
      });
      for (const { message } of group) {
        message.retry({
          delaySeconds: Math.min(RETRY_SECONDS_MAX, RETRY_SECONDS * 2 ** (message.attempts - 1)),
        });
      }
    }
  }
}

function decodeMessage(message: Message<unknown>): DecodedBlock | undefined {
  try {
    const { block, ...rest }: BlockMessage = blockMessage.parse(message.body);
    return { ...rest, block: decodeBlock(block) };
  } catch (error) {
    console.error("message is no block; dropped", { id: message.id, error: String(error) });
    return undefined;
  }
}

/** One call a device. What is not heard is sent again by the object, found stored, and confirmed again. */
async function confirmBlocks(env: AggregateEnv, blocks: readonly DecodedBlock[]): Promise<void> {
  const devices = [...Map.groupBy(blocks, ({ tenant, device }) => `${tenant}/${device}`)];
  for (let i = 0; i < devices.length; i += CONFIRMED_AT_ONCE) {
    await Promise.allSettled(
      devices
        .slice(i, i + CONFIRMED_AT_ONCE)
        .map(([name, own]) =>
          env.DEVICE.getByName(name).confirm(own.map(({ startMs, revision }) => ({ startMs, revision }))),
        ),
    );
  }
}
