import { readFile } from "node:fs/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import { parquetMetadata } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import { expect, it } from "vitest";
import { AT, checked, ISO, useFolder } from "./read-test-support.ts";

const { path, read } = useFolder();

/** A file as DuckDB writes what a query gives. */
async function duckFile(query: string, options = ""): Promise<Uint8Array> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    await connection.run(`COPY (${query}) TO '${path("duck")}' (FORMAT parquet${options})`);
    return await readFile(path("duck"));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const SERIES = `
  SELECT 'k' || (i % 3) AS device, TIMESTAMP '2016-02-29 06:00:00' + INTERVAL (i) SECOND AS "at", CASE WHEN i % 2 = 0 THEN (i % 7) / 8 ELSE i * 1.1e-3::DOUBLE END AS temp, repeat('text ' || i // 9, 9) AS note
  FROM range(2500) AS t(i)`;

it("[S47] Parquet is read in every codec that DuckDB writes", async () => {
  const expected = Array.from({ length: 2_500 }, (_, i) => [
    `k${i % 3}`,
    i * 1_000,
    { temp: i % 2 === 0 ? (i % 7) / 8 : i * 1.1e-3 },
  ]);
  const codecs: Record<string, string> = {
    uncompressed: "UNCOMPRESSED",
    snappy: "SNAPPY",
    gzip: "GZIP",
    zstd: "ZSTD",
    brotli: "BROTLI",
    lz4: "LZ4_RAW",
    lz4_raw: "LZ4_RAW",
  };
  for (const [codec, name] of Object.entries(codecs)) {
    const bytes = await duckFile(SERIES, `, COMPRESSION ${codec}`);
    const { row_groups } = parquetMetadata(
      bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer,
    );
    expect(row_groups[0]!.columns[0]!.meta_data!.codec, codec).toBe(name);
    expect(checked(await read(`${codec}.parquet`, bytes, { metrics: ["temp"] })), codec).toEqual(expected);
  }
});

/** A block of LZ4 that says its bytes as they are. */
function literalBlock(bytes: Uint8Array): Uint8Array {
  const more: number[] = [];
  let rest = bytes.length - 15;
  for (; rest >= 255; rest -= 255) more.push(255);
  return Uint8Array.of(
    bytes.length < 15 ? bytes.length << 4 : 0xf0,
    ...(rest < 0 ? [] : [...more, rest]),
    ...bytes,
  );
}

/** As Hadoop's codec frames blocks: the length of each, plain and packed, stands before it. */
function hadoopFrames(bytes: Uint8Array): Uint8Array {
  const frames = [bytes.subarray(0, 100), bytes.subarray(100)].filter(({ length }) => length > 0);
  return Buffer.concat(
    frames.flatMap((plain) => {
      const block = literalBlock(plain);
      const lengths = Buffer.alloc(8);
      lengths.writeUInt32BE(plain.length, 0);
      lengths.writeUInt32BE(block.length, 4);
      return [lengths, block];
    }),
  );
}

it("[S47] LZ4 is read as Hadoop frames it, without frames, and as LZ4_RAW", async () => {
  const at = Array.from({ length: 300 }, (_, i) => new Date(AT + i));
  const value = at.map((_, i) => Math.sin(i));
  for (const [codec, pack] of [
    ["LZ4", hadoopFrames],
    ["LZ4", literalBlock],
    ["LZ4_RAW", literalBlock],
  ] as const) {
    const bytes = parquetWriteBuffer({
      columnData: [
        { name: "at", data: at, type: "TIMESTAMP" },
        { name: "temp", data: value, type: "DOUBLE" },
      ],
      codec,
      compressors: { [codec]: pack },
    });
    const rows = checked(await read("lz4.parquet", new Uint8Array(bytes), { device: "k1" }));
    expect(rows).toEqual(value.map((temp, i) => ["k1", i, { temp }]));
  }
});

it("[S46] of Parquet only the columns that were asked for are read, whatever the others are of", async () => {
  const odd = `SELECT 'k1' AS device, TIMESTAMP '2016-02-29 06:00:00' AS "at", 5.5::DOUBLE AS temp,
    [1, 2] AS list, {'a': 1, 'device': 2} AS struct, MAP {'k': 1} AS map, INTERVAL 1 DAY AS interval, 'x'::BLOB AS blob,
    '{"a"'::VARCHAR AS text, TIME '01:00:00' AS time, 1.25::DECIMAL(30, 2) AS money, true AS flag`;
  const bytes = await duckFile(odd);
  expect(checked(await read("odd.parquet", bytes, { metrics: ["temp"] }))).toEqual([
    ["k1", 0, { temp: 5.5 }],
  ]);
  await expect(read("odd.parquet", bytes)).rejects.toThrow(
    /the column interval cannot be read: .*; say with --metrics which columns to take/,
  );
  const some = await read("odd.parquet", bytes, { metrics: ["temp", "list", "text", "money", "flag"] });
  expect(checked(some)).toEqual([
    ["k1", 0, { temp: 5.5, money: 1.25 }, "not_a_number", "not_a_number", "not_a_number"],
  ]);
  await expect(read("odd.parquet", bytes, { deviceColumn: "a" })).rejects.toThrow(
    /no column a, only device, at/,
  );
});

it("[S46] decimals, integers and instants of every width are what they say", async () => {
  const kinds = `SELECT 12 AS device, "at", 0.3::DECIMAL(4, 1) AS d, -21.45::DECIMAL(9, 2) AS e, 3::UTINYINT AS u,
    (-7)::HUGEINT AS h, 18446744073709551615::UBIGINT AS b, 1.5::FLOAT AS f`;
  for (const at of ["TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMPTZ"]) {
    const bytes = await duckFile(`${kinds} FROM (SELECT '${ISO.replace("Z", "")}'::${at} AS "at")`);
    const metrics = { d: 0.3, e: -21.45, u: 3, h: -7, b: 2 ** 64, f: 1.5 };
    expect(checked(await read("kinds.parquet", bytes)), at).toEqual([["12", 0, metrics, "precision_lost"]]);
  }
});

it("[S42] [S44] a Parquet column that is there twice is refused where it was asked for, and so is text that is not UTF-8", async () => {
  const column = (name: string, data: unknown[], type: "DOUBLE" | "STRING" | "BYTE_ARRAY") => ({
    name,
    data,
    type,
  });
  const file = (...more: ReturnType<typeof column>[]) =>
    new Uint8Array(
      parquetWriteBuffer({
        columnData: [
          { name: "at", data: [new Date(AT)], type: "TIMESTAMP" },
          ...more,
          column("temp", [5], "DOUBLE"),
        ] as never,
      }),
    );
  const device = { device: "k1" };
  const twice = file(column("temp", [1], "DOUBLE"));
  await expect(read("twice.parquet", twice, device)).rejects.toThrow(/the column temp is there twice/);
  const latin = file(column("name", [Uint8Array.of(0x6b, 0xb0)], "BYTE_ARRAY"));
  const named = { deviceColumn: "name", metrics: ["temp"] };
  await expect(read("latin.parquet", latin, named)).rejects.toThrow(
    /the column name cannot be read: .*utf-8/i,
  );
  expect(checked(await read("latin.parquet", latin, { ...device, metrics: ["temp"] }))).toEqual([
    ["k1", 0, { temp: 5 }],
  ]);
});

it("[S38] the archive's own rows come with their revision", async () => {
  const rows = `SELECT * FROM (VALUES ('k1', 'temp', 777.0::DOUBLE, 2::INTEGER), ('k1', 'temp', 10.0, 1), ('k1', 'temp', 9.0, NULL))
    AS t(device, metric, value, revision), (SELECT TIMESTAMP '2016-02-29 06:00:00' AS "at")`;
  expect(checked(await read("raw.parquet", await duckFile(rows)))).toEqual([
    ["k1", 0, { temp: 777 }, "revision 2"],
    ["k1", 0, { temp: 10 }, "revision 1"],
    ["k1", 0, { temp: 9 }],
  ]);
  const csv = `device,metric,at,value,revision\nk1,temp,${AT},1,2\nk1,temp,${AT},1,\nk1,temp,${AT},1,1.0.3\n`;
  expect(checked(await read("raw.csv", csv)).map((row) => (row as unknown[])[3])).toEqual([
    "revision 2",
    undefined,
    undefined,
  ]);
  expect(checked(await read("wide.csv", `device,at,revision\nk1,${AT},4\n`))).toEqual([
    ["k1", 0, { revision: 4 }],
  ]);
});

it("[I26] an integer that float64 does not have is taken and told, of every kind of file", async () => {
  const lost = "9007199254740993";
  const expected = [["k", 0, { n: 2 ** 53 }, "precision_lost"]];
  const at = `TIMESTAMP '2016-02-29 06:00:00'`;
  const query = `SELECT 'k' AS device, ${at} AS "at", ${lost}::BIGINT AS n`;
  expect(checked(await read("lost.parquet", await duckFile(query)))).toEqual(expected);
  expect(checked(await read("lost.csv", `device,at,n\nk,${ISO},${lost}\n`))).toEqual(expected);
  const flat = `{"device":"k","at":"${ISO}","n":${lost}}`;
  expect(checked(await read("flat.ndjson", flat))).toEqual(expected);
  const report = `{"device":"k","at":"${ISO}","metrics":{"n":${lost}}}`;
  expect(checked(await read("report.ndjson", report))).toEqual(expected);
  expect(checked(await read("kept.csv", `device,at,n\nk,${ISO},9007199254740992\n`))).toEqual([
    ["k", 0, { n: 2 ** 53 }],
  ]);
});
