// A name ↔ the cell of a CSV file that holds it, which no spreadsheet takes for a formula.

/**
 * What a spreadsheet may take for a formula, with its full-width forms (OWASP, "CSV injection"), or a reader may trim;
 * apostrophes before it are the mark itself, once more. Line separators are no blanks.
 */
const NEEDS_MARK = /^'*(?:[^\S\u2028\u2029]|[=+\-@＝＋－＠])|[^\S\u2028\u2029]$/;
const BLANK = /[^\S\u2028\u2029]/;

/** Returns the name as a cell may hold it: behind an apostrophe where a spreadsheet would compute or trim it. */
export const sheetName = (name: string): string => (NEEDS_MARK.test(name) ? `'${name}` : name);

/** Returns the name that a cell holds: of `sheetName` the very same, and of any other without the blanks around it. */
export const nameInSheet = (cell: string): string =>
  cell.startsWith("'") && NEEDS_MARK.test(cell.slice(1)) ? cell.slice(1) : trimmed(cell);

/** A pattern for the blanks at the end would look at each run of blanks once from each of its places. */
function trimmed(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && BLANK.test(text[start]!)) start += 1;
  while (end > start && BLANK.test(text[end - 1]!)) end -= 1;
  return text.slice(start, end);
}
