// Counted operations → US dollars.
import { type Meter, PRICES } from "./prices.ts";

/** How often each billed thing was done; what is absent was not done. Fractions are fine: shares of something shared. */
export type Operations = Partial<Record<Meter, number>>;

export interface Bill {
  usd: number;
  /** What was done, dearest first. */
  lines: { meter: Meter; count: number; usd: number }[];
}

/** WebSocket messages to an object that are billed as one request (Durable Objects pricing, 2026-11). */
export const MESSAGES_A_REQUEST = 20;
/** Memory an object is billed for while it is active, whatever it uses. */
export const OBJECT_GB = 0.128;
/** Bytes of a message that are one queue operation; KB are 1,000 bytes. */
const QUEUE_OPERATION_BYTES = 64_000;
/** What Queues adds to a message (Queues pricing, 2026-11: about 100 bytes of metadata). */
const QUEUE_METADATA_BYTES = 100;

/**
 * The bill at list price.
 * @example billOf({ objectRowsWritten: 259_200 }).usd // 0.2592
 */
export function billOf(operations: Operations): Bill {
  const lines = (Object.entries(operations) as [Meter, number][])
    .filter(([, count]) => count !== 0)
    .map(([meter, count]) => ({ meter, count, usd: count * PRICES[meter].usd }))
    .sort((a, b) => b.usd - a.usd);
  return { usd: lines.reduce((sum, { usd }) => sum + usd, 0), lines };
}

/** What one message costs that is written, read and deleted once. */
export const queueOperationsOf = (bodyBytes: number) =>
  3 * Math.ceil((bodyBytes + QUEUE_METADATA_BYTES) / QUEUE_OPERATION_BYTES);

/** Requests to an object: calls, alarms and connects as they are, messages twenty to one. */
export const objectRequestsOf = (calls: number, messages: number) => calls + messages / MESSAGES_A_REQUEST;

/** GB-s of an object that worked for so long. */
export const objectGbSecondsOf = (activeMs: number) => (activeMs / 1000) * OBJECT_GB;

/** Operations times `factor`: 1,000 reports → a device-month, say. */
export function scale(operations: Operations, factor: number): Operations {
  return Object.fromEntries(Object.entries(operations).map(([meter, count]) => [meter, count * factor]));
}

/** Both together. */
export function add(a: Operations, b: Operations): Operations {
  const sum: Operations = { ...a };
  for (const [meter, count] of Object.entries(b) as [Meter, number][]) sum[meter] = (sum[meter] ?? 0) + count;
  return sum;
}
