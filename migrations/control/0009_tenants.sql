-- Tenants there are, or were. Lives of devices below `generation` are over; status: active, ending or deleted.
CREATE TABLE tenant (
  tenant TEXT NOT NULL,
  status TEXT NOT NULL,
  generation INTEGER NOT NULL,
  devices INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  deleted_at INTEGER,
  PRIMARY KEY (tenant)
) WITHOUT ROWID;

INSERT INTO tenant (tenant, status, generation, devices, created_at)
SELECT tenant, 'active', 0, count(*), min(created_at) FROM device GROUP BY tenant;

-- A tenant is there with its first device, however that came into the registry. Each trigger is on one line: it has semicolons.
CREATE TRIGGER device_made AFTER INSERT ON device BEGIN INSERT INTO tenant (tenant, status, generation, devices, created_at) VALUES (new.tenant, 'active', 0, 1, new.created_at) ON CONFLICT (tenant) DO UPDATE SET devices = devices + 1, created_at = CASE status WHEN 'deleted' THEN new.created_at ELSE created_at END, deleted_at = CASE status WHEN 'deleted' THEN NULL ELSE deleted_at END, status = CASE status WHEN 'deleted' THEN 'active' ELSE status END; END;

CREATE TRIGGER device_gone AFTER DELETE ON device BEGIN UPDATE tenant SET devices = devices - 1 WHERE tenant = old.tenant; END;
