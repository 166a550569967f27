// The D1 tables for drizzle. The SQL in migrations/ makes them (drizzle cannot say WITHOUT ROWID); a test holds the two equal.
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** In place of a device's name in a tombstone: the whole tenant was deleted. No device has an empty name. */
export const WHOLE_TENANT = "";

// ---- control database ----------------------------------------------------------------------------------------------

/**
 * PERSISTED: the registry, one row a device. `first_seen_at` null: registered by an operator, never reported. `limits`
 * is JSON, what the device may send; null: what its model or tenant says. Of one that claimed its token `claim_hash` is the
 * SHA-256 of the secret that it did so with, and `claim_token` the token's id.
 */
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
    gateway: text("gateway"),
    limits: text("limits"),
    claimHash: text("claim_hash"),
    claimToken: text("claim_token"),
  },
  (table) => [
    primaryKey({ columns: [table.tenant, table.device] }),
    index("device_by_zone").on(table.tenant, table.zone, table.device),
  ],
);

/** PERSISTED: what tokens say that the api has made, never the tokens; ids sort by when they were made. Instants are epoch ms. */
export const token = sqliteTable(
  "token",
  {
    tenant: text("tenant").notNull(),
    id: text("id").notNull(),
    role: text("role").notNull(),
    device: text("device"),
    name: text("name"),
    issuedAt: integer("issued_at").notNull(),
    issuedBy: text("issued_by").notNull(),
    expiresAt: integer("expires_at").notNull(),
    revokedAt: integer("revoked_at"),
  },
  (table) => [
    primaryKey({ columns: [table.tenant, table.id] }),
    index("token_by_device").on(table.tenant, table.device),
  ],
);

/** PERSISTED: keys with which devices claim their tokens, by their SHA-256; ids sort by when they were made. Instants are epoch ms. */
export const provisioningKey = sqliteTable(
  "provisioning_key",
  {
    tenant: text("tenant").notNull(),
    id: text("id").notNull(),
    hash: text("hash").notNull(),
    name: text("name"),
    zone: text("zone"),
    model: text("model"),
    devicePrefix: text("device_prefix"),
    maxDevices: integer("max_devices").notNull(),
    tokenTtlSeconds: integer("token_ttl_seconds").notNull(),
    createdAt: integer("created_at").notNull(),
    createdBy: text("created_by").notNull(),
    expiresAt: integer("expires_at").notNull(),
    revokedAt: integer("revoked_at"),
    claimed: integer("claimed").notNull().default(0),
    lastClaimAt: integer("last_claim_at"),
  },
  (table) => [
    primaryKey({ columns: [table.tenant, table.id] }),
    uniqueIndex("provisioning_key_by_hash").on(table.hash),
  ],
);

/**
 * PERSISTED: tenants there are, or were: a deleted one's row says which lives are over, for what is still on its way.
 * Lives of devices below `generation` are over. Triggers make the row with the first device and count `devices`.
 * `status`: active, ending or deleted.
 */
export const tenant = sqliteTable(
  "tenant",
  {
    tenant: text("tenant").notNull(),
    status: text("status").notNull(),
    generation: integer("generation").notNull(),
    devices: integer("devices").notNull(),
    createdAt: integer("created_at").notNull(),
    deletedAt: integer("deleted_at"),
  },
  (table) => [primaryKey({ columns: [table.tenant] })],
);

/** PERSISTED: long work for one tenant; `spec` and `progress` are JSON, see schemas/job.ts. */
export const job = sqliteTable(
  "job",
  {
    tenant: text("tenant").notNull(),
    id: text("id").notNull(),
    kind: text("kind").notNull(),
    status: text("status").notNull(),
    spec: text("spec").notNull(),
    progress: text("progress").notNull(),
    error: text("error"),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    finishedAt: integer("finished_at"),
  },
  (table) => [
    primaryKey({ columns: [table.tenant, table.id] }),
    index("job_by_status").on(table.status, table.tenant, table.id),
  ],
);

/** PERSISTED: what the cron does again and again: where it stands, when it is due, and until when somebody is at it. */
export const chore = sqliteTable(
  "chore",
  {
    name: text("name").notNull(),
    cursor: text("cursor").notNull(),
    dueAt: integer("due_at").notNull(),
    leasedUntil: integer("leased_until").notNull(),
  },
  (table) => [primaryKey({ columns: [table.name] })],
);

/** PERSISTED: rules, channels and silences: `body` is JSON, see schemas/alert.ts and schemas/channel.ts. */
export const rule = sqliteTable(
  "rule",
  { tenant: text("tenant").notNull(), id: text("id").notNull(), body: text("body").notNull() },
  (table) => [primaryKey({ columns: [table.tenant, table.id] })],
);
export const channel = sqliteTable(
  "channel",
  { tenant: text("tenant").notNull(), id: text("id").notNull(), body: text("body").notNull() },
  (table) => [primaryKey({ columns: [table.tenant, table.id] })],
);
export const silence = sqliteTable(
  "silence",
  { tenant: text("tenant").notNull(), id: text("id").notNull(), body: text("body").notNull() },
  (table) => [primaryKey({ columns: [table.tenant, table.id] })],
);

/**
 * PERSISTED: what people changed. `address`: of whoever asked, null: not known. `before` and `after` are JSON without
 * secrets; null: there was nothing.
 */
export const audit = sqliteTable(
  "audit",
  {
    tenant: text("tenant").notNull(),
    id: text("id").notNull(),
    at: integer("at").notNull(),
    who: text("who").notNull(),
    role: text("role").notNull(),
    address: text("address"),
    action: text("action").notNull(),
    target: text("target").notNull(),
    before: text("before"),
    after: text("after"),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.id] })],
);

/**
 * PERSISTED: incidents as their zones told last; `body` is JSON. A lower revision never replaces a higher. `nameless`:
 * members that were deleted with their device since.
 */
export const incident = sqliteTable(
  "incident",
  {
    tenant: text("tenant").notNull(),
    id: text("id").notNull(),
    zone: text("zone").notNull(),
    state: text("state").notNull(),
    openedAt: integer("opened_at").notNull(),
    revision: integer("revision").notNull(),
    body: text("body").notNull(),
    nameless: integer("nameless").notNull().default(0),
  },
  (table) => [
    primaryKey({ columns: [table.tenant, table.id] }),
    index("incident_by_time").on(table.tenant, table.openedAt, table.id),
  ],
);

/** PERSISTED: alerts as their devices told last; `body` is JSON. A lower revision never replaces a higher. */
export const alert = sqliteTable(
  "alert",
  {
    tenant: text("tenant").notNull(),
    id: text("id").notNull(),
    incident: text("incident").notNull(),
    device: text("device").notNull(),
    zone: text("zone").notNull(),
    rule: text("rule").notNull(),
    severity: text("severity").notNull(),
    state: text("state").notNull(),
    firedAt: integer("fired_at").notNull(),
    revision: integer("revision").notNull(),
    body: text("body").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant, table.id] }),
    index("alert_by_time").on(table.tenant, table.firedAt, table.id),
    index("alert_by_incident").on(table.tenant, table.incident, table.id),
    index("alert_by_device").on(table.tenant, table.device, table.firedAt, table.id),
  ],
);

/** PERSISTED: what happened to an alert; `revision` numbers it. `by` null: the rule. */
export const alertEvent = sqliteTable(
  "alert_event",
  {
    tenant: text("tenant").notNull(),
    alert: text("alert").notNull(),
    revision: integer("revision").notNull(),
    kind: text("kind").notNull(),
    at: integer("at").notNull(),
    by: text("by"),
    text: text("text"),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.alert, table.revision] })],
);

/** PERSISTED: a deleted device, or with WHOLE_TENANT each of the tenant: alerts of this generation and before are taken no more. */
export const alertTombstone = sqliteTable(
  "alert_tombstone",
  {
    tenant: text("tenant").notNull(),
    device: text("device").notNull(),
    generation: integer("generation").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.device] })],
);

/**
 * PERSISTED: changes of rules of which devices are still to be told. `scopes` is JSON, the rule's before and after the
 * change; devices up to `after_device` by name were told. `version` null: the tenant's was not raised for it yet.
 */
export const rulesPush = sqliteTable(
  "rules_push",
  {
    tenant: text("tenant").notNull(),
    id: text("id").notNull(),
    version: integer("version"),
    scopes: text("scopes").notNull(),
    afterDevice: text("after_device").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.id] })],
);

// ---- warm databases ------------------------------------------------------------------------------------------------

/**
 * PERSISTED: one row a sealed block, which is a device-hour unless the device is slow or very busy; rows of an hour merge.
 * `summaries` is what core/window/pack-summary.ts packs. A higher revision replaces the row, an equal or lower never does.
 * `zone` is where the device was when the block was first stored: no revision changes it.
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
    zone: text("zone").notNull().default("default"),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.device, table.startMs] })],
);

/** The zone whose hours are the fleet's: no zone has an empty name. */
export const FLEET = "";

/**
 * PERSISTED: the hours of a zone, or of the fleet, as far as this database knows its devices; N databases add up.
 * `metrics` is what core/window/zone-hour.ts packs. Always computed anew from the rollups, or for the fleet from the zones.
 */
export const zoneHour = sqliteTable(
  "zone_hour",
  {
    tenant: text("tenant").notNull(),
    zone: text("zone").notNull(),
    hourMs: integer("hour_ms").notNull(),
    devices: integer("devices").notNull(),
    readings: integer("readings").notNull(),
    metrics: text("metrics").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.zone, table.hourMs] })],
);

/**
 * PERSISTED: hours whose zone_hour is to be computed. `taken_by` 0: free; else the number of who computes it. Storing a
 * block sets it to 0 again, and only who still holds the mark may write the hour and delete the mark.
 */
export const dirtyHour = sqliteTable(
  "dirty_hour",
  {
    tenant: text("tenant").notNull(),
    zone: text("zone").notNull(),
    hourMs: integer("hour_ms").notNull(),
    takenBy: integer("taken_by").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.zone, table.hourMs] })],
);

/**
 * PERSISTED: UTC days and their hourly files. `dirty` 1: its rollups changed since the last export; `taken_by` as above,
 * −1: its rollups have left D1; `revision` is that of the last export, 0: never.
 */
export const archiveDay = sqliteTable(
  "archive_day",
  {
    tenant: text("tenant").notNull(),
    date: text("date").notNull(),
    dirty: integer("dirty").notNull(),
    takenBy: integer("taken_by").notNull(),
    revision: integer("revision").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.date] })],
);

/**
 * PERSISTED: a deleted device, or with WHOLE_TENANT each of the tenant: blocks of this generation and before are refused for good. `listing` 1: what
 * storage has of those lives is not listed yet, and blocks of a later one have to wait.
 */
export const tombstone = sqliteTable(
  "tombstone",
  {
    tenant: text("tenant").notNull(),
    device: text("device").notNull(),
    generation: integer("generation").notNull(),
    finishedAt: integer("finished_at"),
    listing: integer("listing").notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.device] })],
);

/** PERSISTED: how far back this database's rollups reach (`hourly_from_ms`), and what retention has deleted so far. */
export const retained = sqliteTable(
  "retained",
  {
    tenant: text("tenant").notNull(),
    hourlyFromMs: integer("hourly_from_ms").notNull(),
    rollupsDeleted: integer("rollups_deleted").notNull(),
    filesDeleted: integer("files_deleted").notNull(),
    bytesDeleted: integer("bytes_deleted").notNull(),
    rawBlocksDeleted: integer("raw_blocks_deleted").notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.tenant] })],
);

/**
 * PERSISTED: how far an import is with the day `date` in this warm database: all before the place (`next_device`,
 * `next_from_ms`) is stored and counted. Written in the transaction that stores it, deleted when the import is done.
 */
export const importReached = sqliteTable(
  "import_reached",
  {
    tenant: text("tenant").notNull(),
    job: text("job").notNull(),
    date: text("date").notNull(),
    nextDevice: text("next_device").notNull(),
    nextFromMs: integer("next_from_ms").notNull(),
    stored: integer("stored").notNull(),
    duplicate: integer("duplicate").notNull(),
    corrected: integer("corrected").notNull(),
    deleted: integer("deleted").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.job] })],
);

/**
 * PERSISTED: the archive's manifest: a file is in the archive when its row is here, and appears in the same transaction
 * as the rollups of the blocks it took in. `blocks` names those: JSON [[device, startMs, revision], …]; empty for a
 * compacted or hourly file. `replaced_at` set: another file has its contents, and it goes after a grace period.
 * `date` is the first of the month for `kind` hourly.
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
    replacedAt: integer("replaced_at"),
  },
  (table) => [
    primaryKey({ columns: [table.tenant, table.date, table.key] }),
    index("archive_file_replaced").on(table.replacedAt).where(sql`${table.replacedAt} IS NOT NULL`),
  ],
);

/** Every table, by the database it lies in: what a deleted tenant had in them is found by these lists. */
export const CONTROL_TABLES = [
  device,
  job,
  chore,
  rule,
  channel,
  silence,
  incident,
  alert,
  alertEvent,
  alertTombstone,
  rulesPush,
  audit,
  token,
  tenant,
  provisioningKey,
];
export const WARM_TABLES = [
  rollup,
  archiveFile,
  zoneHour,
  dirtyHour,
  archiveDay,
  tombstone,
  retained,
  importReached,
];
