// A batch of the queue of notices → the alerts of D1, and messages to channels. Not built yet.
import type { AggregateEnv } from "./env.ts";

export async function consumeNotices(batch: MessageBatch<unknown>, _env: AggregateEnv): Promise<void> {
  batch.retryAll();
}
