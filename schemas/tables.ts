// The D1 tables for drizzle. The SQL in migrations/ makes them (drizzle cannot say WITHOUT ROWID); a test holds the two equal.
import { index, integer, primaryKey, real, sqliteTable, text } from "drizzle-orm/sqlite-core";

// ---- control database ----------------------------------------------------------------------------------------------

/** PERSISTED: the registry, one row a device. `first_seen_at` null: registered by an operator, never reported. */
export const device = sqliteTable(
  "device",
  {
    tenant: text("tenant").notNull(),
    device: text("device").notNull(),
    zone: text("zone").notNull(),
    name: text("name"),
    model: text("model"),
    latitude: real("latitude"),
    longitude: real("longitude"),
    createdAt: integer("created_at").notNull(),
    firstSeenAt: integer("first_seen_at"),
  },
  (table) => [
    primaryKey({ columns: [table.tenant, table.device] }),
    index("device_by_zone").on(table.tenant, table.zone, table.device),
  ],
);

// ---- warm databases ------------------------------------------------------------------------------------------------

/**
 * PERSISTED: one row a sealed block, which is a device-hour unless the device is very busy; rows of an hour merge.
 * `summaries` is what core/window/pack-summary.ts packs. A higher revision replaces the row, an equal or lower never does.
 */
export const rollup = sqliteTable(
  "rollup",
  {
    tenant: text("tenant").notNull(),
    device: text("device").notNull(),
    startMs: integer("start_ms").notNull(),
    endMs: integer("end_ms").notNull(),
    revision: integer("revision").notNull(),
    summaries: text("summaries").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.device, table.startMs] })],
);

/**
 * PERSISTED: the archive's manifest: a file is in the archive when its row is here, and appears in the same transaction
 * as the rollups of the blocks it took in. `blocks` names those: JSON [[device, startMs, revision], …].
 */
export const archiveFile = sqliteTable(
  "archive_file",
  {
    tenant: text("tenant").notNull(),
    date: text("date").notNull(),
    key: text("key").notNull(),
    kind: text("kind").notNull(),
    fromMs: integer("from_ms").notNull(),
    toMs: integer("to_ms").notNull(),
    minDevice: text("min_device").notNull(),
    maxDevice: text("max_device").notNull(),
    rows: integer("row_count").notNull(),
    bytes: integer("bytes").notNull(),
    blocks: text("blocks").notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.date, table.key] })],
);
