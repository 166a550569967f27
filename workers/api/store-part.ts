// A part of an import → R2, counted with its import before it is there, so that what waits is never more than it may be.
import { partKey } from "../import-parts.ts";
import { givePartBytes, takePartBytes } from "../jobs.ts";
import { Problem } from "../problem.ts";
import type { ApiEnv } from "./env.ts";
import { fromStorage } from "./storage.ts";

/** A part of 4 MiB takes longer to store than a question to answer. */
const PART_STORED_MS = 20_000;
/** Tries at a part that others send at the same moment. */
const TRIES_MAX = 3;

/**
 * Stores a part of an import in place of the one of that number, if there is one. It replaces just the one whose bytes
 * are then counted no more: of two that send the same part at once each knows what it replaced. One that is cut off in
 * between stays counted until the import is over. Costs a look at what is there, two writes of the job's row, and the put.
 * @throws Problem `quota_imports`, `conflict` (others keep sending the same part), `unavailable`.
 */
export async function storePart(
  { CONTROL, COLD }: ApiEnv,
  tenant: string,
  job: string,
  part: number,
  bytes: Uint8Array,
): Promise<void> {
  const key = partKey(tenant, job, part);
  await fromStorage("D1", takePartBytes(CONTROL, tenant, job, bytes.length));
  const giveBack = (size: number) => fromStorage("D1", givePartBytes(CONTROL, tenant, job, size));
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const before = await fromStorage("R2", COLD.head(key));
    const onlyIf = before === null ? { etagDoesNotMatch: "*" } : { etagMatches: before.etag };
    const stored = await fromStorage("R2", COLD.put(key, bytes, { onlyIf }), PART_STORED_MS);
    if (stored === null) continue;
    if (before !== null) await giveBack(before.size);
    return;
  }
  await giveBack(bytes.length);
  throw new Problem(
    "conflict",
    `part ${part} of import ${job} is being sent by several at once; send it again`,
  );
}
