// An instant → an id that sorts by it, unlike any other.

export const sortedId = (nowMs: number) =>
  `${new Date(nowMs).toISOString().replace(/\D/g, "")}-${crypto.randomUUID().slice(0, 8)}`;
