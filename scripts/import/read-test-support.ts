// Files as an import reads them, for tests.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { checkLine } from "../../core/job/check-import.ts";
import { type Format, formatOf, readFile } from "./read-file.ts";
import type { Columns, Row } from "./row.ts";

export const AT = Date.UTC(2016, 1, 29, 6);
export const ISO = "2016-02-29T06:00:00Z";

/** A folder for the tests of a file; gives a function that writes a file there and reads its rows. */
export function useFolder() {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "telltale-import-"));
  });
  afterAll(() => rm(folder, { recursive: true }));
  return {
    path: (name: string) => join(folder, name),
    async read(
      name: string,
      content: string | Uint8Array,
      columns: Columns = {},
      format: Format = formatOf(name),
    ): Promise<Row[]> {
      const path = join(folder, name);
      await writeFile(path, content);
      return await Array.fromAsync(readFile(path, format, columns));
    },
  };
}

/** What the check takes of the rows, and the codes of what it does not. */
export function checked(rows: Row[]): unknown[] {
  return rows.map(({ line, value, written, problem, refused = [] }) => {
    if (value === undefined) return [line, problem];
    const { taken, problems } = checkLine(value, line, AT + 1e9, { fromMs: 0, toMs: AT + 1e9 }, written);
    if (taken === undefined) return [line, problems[0]?.code ?? refused[0]?.message ?? "nothing"];
    const { device, at, names, values, revision } = taken;
    return [
      device,
      at - AT,
      Object.fromEntries(names.map((metric, i) => [metric, values[i]])),
      ...(revision === undefined ? [] : [`revision ${revision}`]),
      ...[...refused, ...problems].map(({ code }) => code),
    ];
  });
}
