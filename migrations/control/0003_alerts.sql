ALTER TABLE device ADD COLUMN gateway TEXT;

CREATE TABLE rule (tenant TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tenant, id)) WITHOUT ROWID;

CREATE TABLE channel (tenant TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tenant, id)) WITHOUT ROWID;

CREATE TABLE silence (tenant TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tenant, id)) WITHOUT ROWID;

CREATE TABLE incident (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  zone TEXT NOT NULL,
  state TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE INDEX incident_by_time ON incident (tenant, opened_at, id);

CREATE TABLE alert (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  incident TEXT NOT NULL,
  device TEXT NOT NULL,
  zone TEXT NOT NULL,
  rule TEXT NOT NULL,
  severity TEXT NOT NULL,
  state TEXT NOT NULL,
  fired_at INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE INDEX alert_by_time ON alert (tenant, fired_at, id);

CREATE INDEX alert_by_incident ON alert (tenant, incident, id);

CREATE TABLE alert_event (
  tenant TEXT NOT NULL,
  alert TEXT NOT NULL,
  revision INTEGER NOT NULL,
  kind TEXT NOT NULL,
  at INTEGER NOT NULL,
  by TEXT,
  text TEXT,
  PRIMARY KEY (tenant, alert, revision)
) WITHOUT ROWID;
