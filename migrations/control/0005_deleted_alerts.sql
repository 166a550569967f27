-- Alerts of a deleted device: those of this generation and before are taken no more.
CREATE TABLE alert_tombstone (
  tenant TEXT NOT NULL,
  device TEXT NOT NULL,
  generation INTEGER NOT NULL,
  PRIMARY KEY (tenant, device)
) WITHOUT ROWID;

-- How many members of the incident were deleted with their device.
ALTER TABLE incident ADD COLUMN nameless INTEGER NOT NULL DEFAULT 0;

CREATE INDEX alert_by_device ON alert (tenant, device, fired_at, id);
