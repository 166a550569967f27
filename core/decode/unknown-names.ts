// Names nobody knows → a sentence that names them, what was probably meant, and what is known.

/** Most names one sentence lists; the rest is counted. */
const NAMED_MAX = 10;
const NAME_SHOWN_MAX = 64;

/**
 * Returns a message that names the unknown names, with the known one that is likest, and lists those there are.
 * @param what what they would be: "parameter", "key", "field".
 * @example unknownNames("parameter", ["resolutoin"], ["from", "resolution"])
 * // no parameter is called "resolutoin" (did you mean "resolution"?); there are from, resolution
 */
export function unknownNames(what: string, names: readonly string[], known: readonly string[]): string {
  const listed = names.slice(0, NAMED_MAX).map((name) => {
    const meant = nearest(name, known);
    return `${quoted(name)}${meant === undefined ? "" : ` (did you mean "${meant}"?)`}`;
  });
  const more = names.length > NAMED_MAX ? ` and ${names.length - NAMED_MAX} more` : "";
  const there = known.length === 0 ? "there is none" : `there are ${known.join(", ")}`;
  return `no ${what} is called ${listed.join(", ")}${more}; ${there}`;
}

const quoted = (name: string) =>
  JSON.stringify(name.length > NAME_SHOWN_MAX ? `${name.slice(0, NAME_SHOWN_MAX)}…` : name);

/** The known name that is a slip of the finger away: up to a third of its letters; undefined: none is. */
function nearest(name: string, known: readonly string[]): string | undefined {
  let found: string | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const meant of known) {
    const most = meant.length / 3;
    if (Math.abs(name.length - meant.length) > most) continue;
    const slips = distance(name.toLowerCase(), meant.toLowerCase());
    if (slips <= most && slips < fewest) [found, fewest] = [meant, slips];
  }
  return found;
}

/** Letters to insert, delete, replace or swap with the next (optimal string alignment). */
function distance(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = rows[i - 1]![j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      row[j] = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, replaced);
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1])
        row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1);
    }
    rows.push(row);
  }
  return rows[from.length]![to.length]!;
}
