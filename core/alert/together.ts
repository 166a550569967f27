// Readings that came together, and the silence before them → how much of the time between them both clocks saw.

/**
 * The newest reading that a rule has seen, and what is left of the silence before its receipt. PERSISTED in the rule's
 * memory: new fields are optional.
 */
export interface Together {
  /** When the reading counts, epoch ms by the device's clock. */
  t: number;
  /** When it was received, epoch ms by the receipt clock. */
  receivedAt: number;
  /** How much of the silence before that receipt no reading of it has accounted for, in ms. */
  leftMs: number;
  /** The time that lay between readings of one receipt, of all receipts so far, in ms. */
  creditMs: number;
}

/**
 * Returns what is known with one reading more, newer than the one before. The time between two readings of one receipt
 * is credited as the device's clock has it, but no more than passed by our clock while nothing was received: a backlog
 * covers the silence before it, and a clock that jumps in it no more than that. Of readings that are the first no
 * silence is known, so nothing is credited.
 */
export function together(before: Together | undefined, t: number, receivedAt: number): Together {
  if (before === undefined) return { t, receivedAt, leftMs: 0, creditMs: 0 };
  const passedMs = Math.max(0, t - before.t);
  const { creditMs, leftMs } = before;
  if (receivedAt !== before.receivedAt)
    return { t, receivedAt, leftMs: Math.max(0, receivedAt - before.receivedAt - passedMs), creditMs };
  const creditedMs = Math.min(leftMs, passedMs);
  return { t, receivedAt, leftMs: leftMs - creditedMs, creditMs: creditMs + creditedMs };
}
