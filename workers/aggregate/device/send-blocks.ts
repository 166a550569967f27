// Sealed blocks → the queue. Nothing is lost when it refuses: the outbox keeps them and sends again.
import { RESEND_AT_ONCE } from "../../../core/device/outbox.ts";
import type { SealedBlock } from "../../../core/device/seal.ts";
import type { DeviceState } from "../../../core/device/state.ts";
import type { QueueHeard } from "../../../core/device/strain.ts";
import type { BlockMessageInput } from "../../../schemas/message.ts";
import { wallMs } from "../../clock.ts";

/** `sendBatch` takes at most 256 KB (Queues limits, 2026-11); a message has a block of up to 32 KB and some framing. */
const BATCH_BYTES_MAX = 200_000;

/**
 * Sends sealed blocks to the queue, in batches it takes. Returns what was heard of the queue. Never fails: a refusal is
 * logged, and the outbox sends again.
 */
export async function sendBlocks(
  queue: Queue<BlockMessageInput>,
  state: DeviceState,
  blocks: readonly SealedBlock[],
): Promise<QueueHeard> {
  const { tenant, device, generation, profile } = state;
  let batch: MessageSendRequest<BlockMessageInput>[] = [];
  let bytes = 0;
  const heard: QueueHeard = { heardAtMs: wallMs(), isRefusing: false, oldestMs: 0 };
  const flush = async () => {
    if (batch.length > 0) heard.oldestMs = oldestMsOf(await queue.sendBatch(batch));
    batch = [];
    bytes = 0;
  };
  try {
    for (const { startMs, endMs, revision, block } of blocks) {
      if (batch.length >= RESEND_AT_ONCE || bytes + block.length > BATCH_BYTES_MAX) await flush();
      batch.push({
        body: { version: 1, tenant, device, startMs, endMs, revision, generation, zone: profile.zone, block },
        contentType: "v8",
      });
      bytes += block.length;
    }
    await flush();
  } catch (error) {
    heard.isRefusing = true;
    console.warn("queue refused; the outbox sends again", {
      tenant,
      device,
      blocks: blocks.length,
      error: String(error),
    });
  }
  return heard;
}

/** How old the oldest message of a queue is, in ms, as it says when it is sent to; 0: it does not say. */
function oldestMsOf(response: QueueSendBatchResponse | undefined): number {
  const { backlogCount = 0, oldestMessageTimestamp } = response?.metadata?.metrics ?? {};
  const sinceMs = Number(oldestMessageTimestamp ?? 0);
  return backlogCount === 0 || sinceMs === 0 ? 0 : Math.max(0, wallMs() - sinceMs);
}
