// Rows by instant and id, newest first ↔ the cursor of the next page.

/** Returns the row a cursor stands for, `<at>~<id>` of the last row of the page before; undefined: the first page. */
export function afterOf(after: string | undefined): { at: number; id: string } | undefined {
  if (after === undefined) return undefined;
  const end = after.indexOf("~");
  return { at: Number(after.slice(0, end)), id: after.slice(end + 1) };
}

/** Returns the cursor after the first `limit` of the rows; null: there are no more. */
export function nextOf(rows: readonly { at: number; id: string }[], limit: number): string | null {
  const last = rows[limit - 1];
  return last === undefined || rows.length <= limit ? null : `${last.at}~${last.id}`;
}
