-- Tokens that were made by POST /v1/tokens: what they say, never the tokens themselves. ids sort by when they were made.
CREATE TABLE token (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  role TEXT NOT NULL,
  device TEXT,
  name TEXT,
  issued_at INTEGER NOT NULL,
  issued_by TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
