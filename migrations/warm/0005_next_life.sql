-- 1: what storage has of the device's former lives is not listed yet, and blocks of a later one have to wait.
ALTER TABLE tombstone ADD COLUMN listing INTEGER NOT NULL DEFAULT 0;
