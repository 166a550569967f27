CREATE TABLE rules_push (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  version INTEGER,
  scopes TEXT NOT NULL,
  after_device TEXT NOT NULL,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
