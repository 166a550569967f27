CREATE TABLE rollup (
  tenant TEXT NOT NULL,
  device TEXT NOT NULL,
  start_ms INTEGER NOT NULL,
  end_ms INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  summaries TEXT NOT NULL,
  PRIMARY KEY (tenant, device, start_ms)
) WITHOUT ROWID;

CREATE TABLE archive_file (
  tenant TEXT NOT NULL,
  date TEXT NOT NULL,
  key TEXT NOT NULL,
  kind TEXT NOT NULL,
  from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL,
  min_device TEXT NOT NULL,
  max_device TEXT NOT NULL,
  row_count INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  blocks TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, date, key)
) WITHOUT ROWID;
