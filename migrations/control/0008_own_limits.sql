-- What a device may send, where it is not what its tenant says: JSON, see ownRate in schemas/tenant.ts; NULL: as its tenant says.
ALTER TABLE device ADD COLUMN limits TEXT;
