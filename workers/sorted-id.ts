// An instant → an id that sorts by it, unlike any other.

/** Returns a new id, unlike any other, that sorts by `nowMs` to the millisecond. */
export const sortedId = (nowMs: number) =>
  `${new Date(nowMs).toISOString().replace(/\D/g, "")}-${crypto.randomUUID().slice(0, 8)}`;
