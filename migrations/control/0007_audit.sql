-- What people changed: who, when, from where, and what was before and after. Ids sort by time.
CREATE TABLE audit (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  at INTEGER NOT NULL,
  who TEXT NOT NULL,
  role TEXT NOT NULL,
  address TEXT,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  before TEXT,
  after TEXT,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
