import fc from "fast-check";
import { expect, it } from "vitest";
import { BLOCK_BYTES_MAX } from "../block/cut.ts";
import { decodeBlock } from "../block/decode.ts";
import { HOUR_MS } from "../time.ts";
import { checkLine, checkLines } from "./check-import.ts";
import { compareRevisions, PartBuilder, partWithout, readPartHead } from "./import-part.ts";
import { type KnownBlock, mergeImport, touchedBlocks } from "./merge-import.ts";
import type { RevisedBlock } from "./newest-rows.ts";

const DAY = Date.UTC(2016, 1, 29);
const DAY_MS = 24 * HOUR_MS;
const SPAN = { fromMs: DAY, toMs: DAY + DAY_MS };
const readings = (metrics: Record<string, [at: number, value: number][]>) =>
  new Map(
    Object.entries(metrics).map(([metric, points]) => [
      metric,
      { at: points.map(([at]) => at), value: points.map(([, value]) => value) },
    ]),
  );

/** What a part holds, by device and day. */
function unpacked(part: Uint8Array) {
  return readPartHead(part)!.entries.map(({ offset, bytes, ...entry }) => ({
    ...entry,
    columns: decodeBlock(part.subarray(offset, offset + bytes)).columns,
  }));
}

it("[S20] a part holds its readings by device and day, and of a reading that comes twice the later", () => {
  const builder = new PartBuilder();
  builder.add({ device: "b", at: DAY + 5, names: ["x", "y"], values: [1, -0] });
  builder.add({ device: "a", at: DAY + DAY_MS, names: ["x"], values: [2] });
  builder.add({ device: "b", at: DAY + 1, names: ["x"], values: [3] });
  builder.add({ device: "b", at: DAY + 5, names: ["x"], values: [4] });
  const part = builder.finish();
  expect(unpacked(part)).toEqual([
    {
      device: "a",
      date: "2016-03-01",
      readings: 1,
      minMs: DAY + DAY_MS,
      maxMs: DAY + DAY_MS,
      columns: [{ metric: "x", at: [DAY + DAY_MS], value: [2] }],
    },
    {
      device: "b",
      date: "2016-02-29",
      readings: 3,
      minMs: DAY + 1,
      maxMs: DAY + 5,
      columns: [
        { metric: "x", at: [DAY + 1, DAY + 5], value: [3, 4] },
        { metric: "y", at: [DAY + 5], value: [-0] },
      ],
    },
  ]);
  expect(readPartHead(part.subarray(0, 40))).toBeUndefined();
  expect(unpacked(partWithout(part, "b"))).toEqual(unpacked(part).slice(0, 1));
  expect(unpacked(partWithout(partWithout(part, "b"), "a"))).toEqual([]);
  expect(unpacked(new PartBuilder().finish())).toEqual([]);
});

it("[S38] a part keeps the readings of each revision apart, and those without one", () => {
  const builder = new PartBuilder();
  const line = { device: "d", at: DAY, names: ["x"] };
  builder.add({ ...line, revision: 10, values: [777] });
  builder.add({ ...line, revision: 2, values: [10] });
  builder.add({ ...line, values: [1] });
  builder.add({ ...line, revision: 2, values: [11] });
  const part = builder.finish();
  const found = unpacked(part).map(({ revision, columns }) => [revision, columns[0]!.value[0]]);
  expect(found.sort(([a], [b]) => compareRevisions({ revision: a! }, { revision: b! }))).toEqual([
    [2, 11],
    [10, 777],
    [undefined, 1],
  ]);
  expect(readPartHead(partWithout(part, "e"))!.entries.map(({ revision }) => revision)).toEqual(
    unpacked(part).map(({ revision }) => revision),
  );
});

it("[S38] a line says its revision, which is a whole number and no unknown field", () => {
  const lines = [0, 7, 2 ** 31, 1.5, "x", null].map((revision) =>
    JSON.stringify({ device: "d", at: DAY, revision, metrics: { a: 1, b: "x" } }),
  );
  const taken: unknown[] = [];
  const checked = checkLines(lines.join("\n"), 2 * DAY, { fromMs: 0, toMs: 2 * DAY }, (line) =>
    taken.push(line),
  );
  const line = { device: "d", at: DAY, names: ["a"], values: [1] };
  expect(taken).toEqual([
    { ...line, revision: 0 },
    { ...line, revision: 7 },
  ]);
  expect(checked).toMatchObject({ readings: 2, refused: 10 });
  expect(checked.problems.map(({ line, code }) => [line, code])).toEqual([
    [1, "not_a_number"],
    [2, "not_a_number"],
    ...[3, 4, 5, 6].flatMap((line) => [
      [line, "invalid_report"],
      [line, "not_a_number"],
    ]),
  ]);
});

it("[S39] a line that is refused as a whole names what else is wrong with it, and counts every reading", () => {
  const span = { fromMs: DAY - DAY_MS, toMs: DAY };
  const codes = (line: object) => {
    const { refused, problems } = checkLine(line, 3, DAY + DAY_MS, span);
    return [refused, ...problems.map(({ line: at, code }) => (at === 3 ? code : at))];
  };
  const metrics = { a: 1, b: "x", c: 2 };
  const rest = ["not_a_number", "unknown_field"];
  expect(codes({ device: "d", at: DAY, metrics, unit: "C" })).toEqual([3, "too_recent", ...rest]);
  expect(codes({ device: "d", at: DAY - 2 * DAY_MS, metrics, unit: "C" })).toEqual([3, "too_old", ...rest]);
  expect(codes({ at: DAY - 1, metrics, unit: "C" })).toEqual([3, "device_missing", ...rest]);
  expect(codes({ device: "d", metrics, unit: "C" })).toEqual([3, "at_missing", ...rest]);
});

it("[S20] lines are checked as reports are, and name their device and an instant before the horizon", () => {
  const beforeMs = DAY + HOUR_MS;
  const lines = [
    `{"device":"d","at":${DAY},"metrics":{"a":1,"b":2}}`,
    "",
    '{"device":"d","at":"2016-02-29T00:30:00Z","metrics":{"a":3,"bad":"x"}}',
    "nonsense",
    `{"at":${DAY},"metrics":{"a":1}}`,
    '{"device":"d","metrics":{"a":1}}',
    `{"device":"d","at":${DAY / 1_000},"metrics":{"a":1}}`,
    `{"device":"d","at":${beforeMs},"metrics":{"a":1,"b":2}}`,
    `{"device":"../d","at":${DAY},"metrics":{"a":1}}`,
    `{"device":"d","at":${DAY},"metrics":{"a":NaN,"b":7}}`,
    `{"device":"d","at":${DAY - DAY_MS - 1},"metrics":{"a":1}}`,
  ];
  const taken: unknown[] = [];
  const counted = checkLines(
    lines.join("\n"),
    DAY + DAY_MS,
    { fromMs: DAY - DAY_MS, toMs: beforeMs },
    (line) => taken.push(line),
  );
  expect(taken).toEqual([
    { device: "d", at: DAY, names: ["a", "b"], values: [1, 2] },
    { device: "d", at: DAY + HOUR_MS / 2, names: ["a"], values: [3] },
    { device: "d", at: DAY, names: ["b"], values: [7] },
  ]);
  expect(counted).toMatchObject({ readings: 4, refused: 10 });
  expect(counted.problems.map(({ line, code }) => [line, code])).toEqual([
    [3, "not_a_number"],
    [4, "malformed_json"],
    [5, "device_missing"],
    [6, "at_missing"],
    [7, "at_in_seconds"],
    [8, "too_recent"],
    [9, "invalid_device"],
    [10, "not_finite"],
    [11, "too_old"],
  ]);
  expect(counted.problems[5]!.message).toMatch(/post these to \/v1\/telemetry/);
});

it("[S20] the first hundred problems are listed, and all are counted", () => {
  const { refused, problems } = checkLines("x\n".repeat(250), DAY, { fromMs: 0, toMs: DAY }, () => {});
  expect([refused, problems.length, problems[99]!.line]).toEqual([250, 100, 100]);
});

it("[I21] fields of a line that mean nothing are named, cost no reading, and hide no refusal", () => {
  const line = JSON.stringify({ device: "d1", at: DAY / 2, metrics: { a: 1 }, unit: "C" });
  const text = [...Array.from({ length: 150 }, () => line), "x"].join("\n");
  const { problems, ...counts } = checkLines(text, 2 * DAY, { fromMs: 0, toMs: DAY }, () => {});
  expect(counts).toEqual({ readings: 150, refused: 1 });
  expect(problems.map(({ line }) => line)).toEqual([...Array.from({ length: 99 }, (_, i) => i + 1), 151]);
  expect(problems[0]).toMatchObject({ code: "unknown_field", message: expect.stringContaining('"unit"') });
});

const block = (
  startMs: number,
  endMs: number,
  revision: number,
  points: [number, number][],
): RevisedBlock => ({
  revision,
  block: {
    startMs,
    endMs,
    columns: [{ metric: "a", at: points.map(([at]) => at), value: points.map(([, v]) => v) }],
  },
});
const knownOf = ({ revision, block: { startMs, endMs } }: RevisedBlock): KnownBlock => ({
  startMs,
  endMs,
  revision,
});

it("[S20] a reading goes into the block that holds its instant, whose revision rises; others stay as they are", () => {
  const first = block(DAY, DAY + HOUR_MS, 4, [
    [DAY, 1],
    [DAY + 10, 2],
  ]);
  const second = block(DAY + HOUR_MS, DAY + 2 * HOUR_MS, 1, [[DAY + HOUR_MS, 3]]);
  const imported = readings({
    a: [
      [DAY + 5, 7],
      [DAY + 10, 9],
      [DAY + HOUR_MS, 3],
    ],
    b: [[DAY, 0]],
  });
  const known = [second, first].map(knownOf);
  expect(touchedBlocks(imported, known)).toEqual(new Set([DAY, DAY + HOUR_MS]));
  const contents = new Map([first, second].map((own) => [own.block.startMs, own]));
  const { blocks, counts } = mergeImport(imported, known, contents, SPAN);
  expect(counts).toEqual({ stored: 2, duplicate: 1, corrected: 1 });
  expect(blocks).toEqual([
    {
      revision: 5,
      block: {
        startMs: DAY,
        endMs: DAY + HOUR_MS,
        columns: [
          { metric: "a", at: [DAY, DAY + 5, DAY + 10], value: [1, 7, 9] },
          { metric: "b", at: [DAY], value: [0] },
        ],
      },
    },
  ]);
});

it("[S20] where no block is, a new one takes its bucket less what others hold, and less what is beyond the span", () => {
  const held = block(DAY + 2 * HOUR_MS, DAY + 3 * HOUR_MS, 1, [[DAY + 2 * HOUR_MS, 1]]);
  const instants = [
    DAY + HOUR_MS,
    DAY + 4 * HOUR_MS,
    DAY + 5 * HOUR_MS,
    DAY + 6 * HOUR_MS,
    DAY + 23 * HOUR_MS,
  ];
  const imported = readings({ a: instants.map((at) => [at, 1]) });
  expect(touchedBlocks(imported, [knownOf(held)])).toEqual(new Set());
  const { blocks } = mergeImport(imported, [knownOf(held)], new Map(), {
    fromMs: DAY,
    toMs: DAY + 23.5 * HOUR_MS,
  });
  expect(
    blocks.map(({ revision, block: { startMs, endMs } }) => [
      revision,
      (startMs - DAY) / HOUR_MS,
      (endMs - DAY) / HOUR_MS,
    ]),
  ).toEqual([
    [1, 0, 2],
    [1, 3, 6],
    [1, 6, 12],
    [1, 18, 23.5],
  ]);
});

it("[S20] the archive's revision of a block counts where it is the higher one", () => {
  const stored = block(DAY, DAY + HOUR_MS, 3, [[DAY, 1]]);
  const { blocks } = mergeImport(
    readings({ a: [[DAY, 2]] }),
    [{ ...knownOf(stored), revision: 0 }],
    new Map([[DAY, stored]]),
    SPAN,
  );
  expect(blocks.map(({ revision }) => revision)).toEqual([4]);
});

it("[S20] a block that grows too large is cut, its first part keeping the start", () => {
  const noise = (i: number) => Math.sin(i) * 1e6;
  const imported = readings({ a: Array.from({ length: 20_000 }, (_, i) => [DAY + i * 1_000, noise(i)]) });
  const { blocks, counts } = mergeImport(imported, [], new Map(), SPAN);
  expect(counts.stored).toBe(20_000);
  expect(blocks.length).toBeGreaterThan(3);
  expect(blocks[0]!.block.startMs).toBe(DAY);
  for (const [i, { block: own }] of blocks.entries()) {
    if (i > 0) expect(own.startMs).toBe(blocks[i - 1]!.block.endMs);
    expect(own.columns[0]!.at.length * 8).toBeLessThan(2 * BLOCK_BYTES_MAX);
  }
  expect(blocks.flatMap(({ block: own }) => own.columns[0]!.value)).toEqual(
    Array.from({ length: 20_000 }, (_, i) => noise(i)),
  );
});

it("[S20] imports in any pieces and order, repeated and overlapping, end in the readings a map would have", () => {
  const point = fc.record({ at: fc.integer({ min: 0, max: 40 }), value: fc.integer({ min: 0, max: 3 }) });
  const imports = fc.array(fc.array(point, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(imports, (pieces) => {
      const step = 45 * 60_000;
      const expected = new Map<number, number>();
      let blocks = new Map<number, RevisedBlock>();
      for (const piece of pieces) {
        const latest = new Map(piece.map(({ at, value }) => [DAY + (at % 32) * step, value]));
        const sorted = [...latest].sort(([a], [b]) => a - b);
        for (const [at, value] of sorted) expected.set(at, value);
        const imported = readings({ a: sorted });
        const known = [...blocks.values()].map(knownOf);
        const touched = touchedBlocks(imported, known);
        const contents = new Map([...blocks].filter(([start]) => touched.has(start)));
        const merged = mergeImport(imported, known, contents, SPAN);
        for (const changed of merged.blocks) {
          const { startMs } = changed.block;
          expect(changed.revision).toBe((blocks.get(startMs)?.revision ?? 0) + 1);
          blocks = new Map(blocks).set(startMs, changed);
        }
        const again = mergeImport(imported, [...blocks.values()].map(knownOf), blocks, SPAN);
        expect([again.blocks, again.counts.duplicate]).toEqual([[], sorted.length]);
      }
      const all = [...blocks.values()].sort((a, b) => a.block.startMs - b.block.startMs);
      for (const [i, { block: own }] of all.entries())
        if (i > 0) expect(own.startMs).toBeGreaterThanOrEqual(all[i - 1]!.block.endMs);
      const found = all.flatMap(({ block: { columns } }) =>
        columns[0]!.at.map((at, i) => [at, columns[0]!.value[i]]),
      );
      expect(found).toEqual([...expected].sort(([a], [b]) => a - b));
    }),
  );
});

it("[I26] an integer that float64 does not have is taken, and told as it was written", () => {
  const line = `{"device":"d","at":${DAY},"metrics":{"a":9007199254740993,"b":9007199254740992}}`;
  const values: number[] = [];
  const counted = checkLines(line, 2 * DAY, { fromMs: 0, toMs: 2 * DAY }, (taken) => {
    values.push(...taken.values);
  });
  expect([values, counted.readings, counted.refused]).toEqual([[2 ** 53, 2 ** 53], 2, 0]);
  expect(counted.problems).toMatchObject([{ line: 1, metric: "a", code: "precision_lost" }]);
  expect(counted.problems[0]!.message).toContain("9007199254740993");
});
