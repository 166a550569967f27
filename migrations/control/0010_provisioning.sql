-- Keys with which devices claim their tokens: their SHA-256, never the keys. ids sort by when they were made.
CREATE TABLE provisioning_key (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  hash TEXT NOT NULL,
  name TEXT,
  zone TEXT,
  model TEXT,
  device_prefix TEXT,
  max_devices INTEGER NOT NULL,
  token_ttl_seconds INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER,
  claimed INTEGER NOT NULL DEFAULT 0,
  last_claim_at INTEGER,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX provisioning_key_by_hash ON provisioning_key (hash);

-- Of a device that claimed its token: the SHA-256 of the secret that it did so with, and the token's id.
ALTER TABLE device ADD COLUMN claim_hash TEXT;
ALTER TABLE device ADD COLUMN claim_token TEXT;

-- Whether a device has tokens is asked at each claim.
CREATE INDEX token_by_device ON token (tenant, device);
