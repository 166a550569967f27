CREATE TABLE device (
  tenant TEXT NOT NULL,
  device TEXT NOT NULL,
  zone TEXT NOT NULL,
  name TEXT,
  model TEXT,
  latitude REAL,
  longitude REAL,
  created_at INTEGER NOT NULL,
  first_seen_at INTEGER,
  PRIMARY KEY (tenant, device)
) WITHOUT ROWID;

CREATE INDEX device_by_zone ON device (tenant, zone, device);
