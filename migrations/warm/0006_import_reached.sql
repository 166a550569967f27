CREATE TABLE import_reached (
  tenant TEXT NOT NULL,
  job TEXT NOT NULL,
  date TEXT NOT NULL,
  next_device TEXT NOT NULL,
  next_from_ms INTEGER NOT NULL,
  stored INTEGER NOT NULL,
  duplicate INTEGER NOT NULL,
  corrected INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  PRIMARY KEY (tenant, job)
) WITHOUT ROWID;
