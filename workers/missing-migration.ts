// A failure of D1 → the sentence that says so when its tables are missing or old, which no trying again helps.

/** What SQLite says of a table or column that a migration makes. */
const LACKS = /D1_ERROR: (no such (?:table|column): [^:\s]+|table \S+ has no column named [^:\s]+)/;

/** How the databases are brought up to date; repeated, it changes nothing. */
const REMEDY =
  "apply the migrations: `npx wrangler d1 migrations apply telltale-control --local`, and the same of telltale-warm-0 " +
  "and each other warm database (with the --persist-to of `wrangler dev`, if it has one; for a deployment --remote)";

/**
 * Returns the sentence that says which migration an error of D1 is for the lack of; undefined: it is for another
 * reason. drizzle's errors say why only in their cause.
 */
export function missingMigration(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const lacks = LACKS.exec(at.message)?.[1];
    if (lacks !== undefined) return `a D1 database has not all of its migrations (${lacks}); ${REMEDY}`;
  }
  return undefined;
}

/** What was logged: the same lack stops every device and every tick. */
const said = new Set<string>();

/**
 * Logs that `what` failed, and why: a missing migration in one sentence, once an isolate; anything else each time,
 * with `details`.
 */
export function logFailure(level: "warn" | "error", what: string, details: object, error: unknown): void {
  const missing = missingMigration(error);
  if (missing === undefined) {
    const { cause } = error as { cause?: unknown };
    const why = { error: String(error), ...(cause === undefined ? {} : { cause: String(cause) }) };
    console[level](what, { ...details, ...why });
    return;
  }
  const sentence = `${what}: ${missing}`;
  if (!said.has(sentence)) console.error(sentence);
  said.add(sentence);
}
