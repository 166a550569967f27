// An instant ↔ an id that sorts by it, unlike any other.

/** Returns a new id, unlike any other, that sorts by `nowMs` to the millisecond. */
export const sortedId = (nowMs: number) =>
  `${new Date(nowMs).toISOString().replace(/\D/g, "")}-${crypto.randomUUID().slice(0, 8)}`;

/** Returns the instant that an id was made for, epoch ms; NaN: it is none of `sortedId`. */
export const instantOfId = (id: string): number =>
  Date.parse(
    id.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d{3})-[0-9a-f]{8}$/, "$1-$2-$3T$4:$5:$6.$7Z"),
  );
