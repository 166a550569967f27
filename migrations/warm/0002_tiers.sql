-- Where the block's device was when the block was first stored: its hours count there for good.
ALTER TABLE rollup ADD COLUMN zone TEXT NOT NULL DEFAULT 'default';

-- Set when another file took the contents over; the file goes after a grace period.
ALTER TABLE archive_file ADD COLUMN replaced_at INTEGER;

CREATE TABLE zone_hour (
  tenant TEXT NOT NULL,
  zone TEXT NOT NULL,
  hour_ms INTEGER NOT NULL,
  devices INTEGER NOT NULL,
  readings INTEGER NOT NULL,
  metrics TEXT NOT NULL,
  PRIMARY KEY (tenant, zone, hour_ms)
) WITHOUT ROWID;

CREATE TABLE dirty_hour (
  tenant TEXT NOT NULL,
  zone TEXT NOT NULL,
  hour_ms INTEGER NOT NULL,
  taken_by INTEGER NOT NULL,
  PRIMARY KEY (tenant, zone, hour_ms)
) WITHOUT ROWID;

CREATE TABLE archive_day (
  tenant TEXT NOT NULL,
  date TEXT NOT NULL,
  dirty INTEGER NOT NULL,
  taken_by INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (tenant, date)
) WITHOUT ROWID;

CREATE TABLE tombstone (
  tenant TEXT NOT NULL,
  device TEXT NOT NULL,
  generation INTEGER NOT NULL,
  finished_at INTEGER,
  PRIMARY KEY (tenant, device)
) WITHOUT ROWID;

CREATE TABLE retained (
  tenant TEXT NOT NULL,
  hourly_from_ms INTEGER NOT NULL,
  rollups_deleted INTEGER NOT NULL,
  files_deleted INTEGER NOT NULL,
  bytes_deleted INTEGER NOT NULL,
  PRIMARY KEY (tenant)
) WITHOUT ROWID;
