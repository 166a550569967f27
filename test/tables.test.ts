// schemas/tables.ts and migrations/ describe the same tables, and what was migrated once is never changed.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { getTableConfig, type SQLiteTable } from "drizzle-orm/sqlite-core";
import { describe, expect, it } from "vitest";
import { CONTROL_TABLES, WARM_TABLES } from "../schemas/tables.ts";

const MIGRATIONS = join(import.meta.dirname, "../migrations");
const DATABASES = { control: CONTROL_TABLES, warm: WARM_TABLES };

/** SHA-256 of each migration; a new one adds its line, an old one keeps it for ever: it has run in production. */
const MIGRATED: Record<string, string> = {
  "control/0001_registry.sql": "f4b53b71d378f23155f7a937d800074d548f5163ebf16fa2dcf241280be7032c",
  "control/0002_jobs.sql": "d55590e697a4b00e49a5ae3c40d13e5cf5e91ad2db6eca148ec4e79bcc9c9f59",
  "control/0003_alerts.sql": "e54ae031c4faa8ef0377de56b01093ed4fe3e784c9b99ca7f66231f955a225df",
  "control/0004_rules_push.sql": "cb599d5adedbc4bdee019e20f1b2905b8347ce3f18de53348e9cfbeed9bfe6f1",
  "control/0005_deleted_alerts.sql": "2fd2b3c219ddf62791e890d05fc9b4490524f090ec4d41aa91021e4c16dc3f3b",
  "control/0006_tokens.sql": "dc2ea5cf1a20a4b853b348e5672a92d597987b682024cb1e0c4606f64696b74d",
  "control/0007_audit.sql": "8aeaeddf423159ae9170afba3832a95ee8f8ad6977ffa16256e454c418155c3b",
  "control/0008_own_limits.sql": "ba6aa4ccd4f7d41a62182a593c5bee01ed3790551dd2cd638b0dfe90fb3bf69d",
  "control/0009_tenants.sql": "20b13a936192e31a6fe846cc7207b684ac40bac519683473a262356c229eda05",
  "control/0010_provisioning.sql": "f26453edc38ca1868bc63586761c83821e8bd476665860110d932a2e1d86da30",
  "warm/0001_rollups.sql": "7d00481bae8a02b2fc7334f3c1f83219a44338d692a2d49ed91a542bb0d1ea69",
  "warm/0002_tiers.sql": "990af69fa0e51d7705933f7cc10b44926b6e681439fc3810748b4b55176184f0",
  "warm/0004_raw_retention.sql": "0b69d6ee848d4b07f2ce8bc0affc98e13e1014fce2297280dcf0a04d57dd7b6c",
  "warm/0005_next_life.sql": "10d62c949d56362c976ffd4795677bc764ede7032db4128a2641555b3c0a9826",
  "warm/0006_import_reached.sql": "30b8ac2138a4140feb41ebf11ec958e28175f1062e0280d7d575909a7cf00dab",
  "warm/0003_replaced_index.sql": "e3a48fd7b9ffd306a21a093d71321a9a0e46f2d386330d1361eec3ae1e7e05d4",
};

const filesOf = (name: string) => readdirSync(join(MIGRATIONS, name)).sort();
const textOf = (path: string) => readFileSync(join(MIGRATIONS, path), "utf8");

function migrated(name: string): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  for (const file of filesOf(name)) database.exec(textOf(`${name}/${file}`));
  return database;
}

interface Table {
  name: string;
  columns: { name: string; type: string; notNull: boolean }[];
  primaryKey: string[];
  indexes: { name: string; unique: boolean; columns: string[] }[];
}

/** A table as SQLite says it is. */
function tableIn(database: DatabaseSync, name: string): Table {
  const columns = database.prepare("SELECT * FROM pragma_table_info(?)").all(name) as unknown as {
    name: string;
    type: string;
    notnull: number;
    pk: number;
  }[];
  const indexes = database
    .prepare("SELECT name, [unique] FROM pragma_index_list(?) WHERE origin = 'c' ORDER BY name")
    .all(name) as unknown as { name: string; unique: number }[];
  return {
    name,
    columns: columns.map(({ name, type, notnull }) => ({ name, type, notNull: notnull === 1 })),
    primaryKey: columns
      .filter(({ pk }) => pk > 0)
      .sort((a, b) => a.pk - b.pk)
      .map(({ name }) => name),
    indexes: indexes.map(({ name, unique }) => ({
      name,
      unique: unique === 1,
      columns: database
        .prepare("SELECT name FROM pragma_index_info(?) ORDER BY seqno")
        .all(name)
        .map((row) => String(row.name)),
    })),
  };
}

/** The same of a drizzle table. */
function tableOf(table: SQLiteTable): Table {
  const { name, columns, primaryKeys, indexes } = getTableConfig(table);
  return {
    name,
    columns: columns.map((column) => ({
      name: column.name,
      type: column.getSQLType().toUpperCase(),
      notNull: column.notNull,
    })),
    primaryKey: primaryKeys.flatMap((key) => key.columns.map((column) => column.name)),
    indexes: indexes
      .map(({ config }) => ({
        name: config.name,
        unique: config.unique,
        columns: config.columns.map((column) => ("name" in column ? String(column.name) : "an expression")),
      }))
      .sort((a, b) => a.name.localeCompare(b.name)),
  };
}

describe.each(Object.entries(DATABASES))("the %s database", (name, tables) => {
  it.each(tables.map((table) => [getTableConfig(table).name, table] as const))(
    "[S8] %s has the columns, primary key and indexes the migrations make",
    (table, schema) => {
      expect(tableIn(migrated(name), table)).toEqual(tableOf(schema));
    },
  );

  it("[S8] the migrations make no other table", () => {
    const made = migrated(name)
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
      .all();
    expect(made.map((row) => row.name)).toEqual(tables.map((table) => getTableConfig(table).name).sort());
  });

  it("[S8] every table is WITHOUT ROWID: a row with an index of its key would be two rows written", () => {
    const database = migrated(name);
    const all = database
      .prepare("SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
      .all();
    const ours = all.filter((row) => !String(row.name).startsWith("sqlite_"));
    expect(ours.map((row) => row.wr)).toEqual(tables.map(() => 1));
  });
});

describe("migrations", () => {
  it("[S8] are append-only: each has the bytes it had when it first ran", () => {
    const hashes = Object.keys(DATABASES).flatMap((name) =>
      filesOf(name).map((file) => [
        `${name}/${file}`,
        createHash("sha256")
          .update(textOf(`${name}/${file}`))
          .digest("hex"),
      ]),
    );
    expect(Object.fromEntries(hashes)).toEqual(MIGRATED);
  });

  it("[S8] are numbered from 0001 without a gap", () => {
    for (const name of Object.keys(DATABASES)) {
      const numbers = filesOf(name).map((file) => Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(file)?.[1]));
      expect(numbers).toEqual(numbers.map((_, i) => i + 1));
    }
  });
});
