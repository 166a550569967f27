CREATE TABLE job (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  status TEXT NOT NULL,
  spec TEXT NOT NULL,
  progress TEXT NOT NULL,
  error TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  finished_at INTEGER,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE INDEX job_by_status ON job (status, tenant, id);

-- What the cron goes on with: where a sweep stands, and who runs it until when.
CREATE TABLE chore (
  name TEXT NOT NULL,
  cursor TEXT NOT NULL,
  due_at INTEGER NOT NULL,
  leased_until INTEGER NOT NULL,
  PRIMARY KEY (name)
) WITHOUT ROWID;
