// Whether an object has written anything yet: one that is merely asked leaves no trace, so it makes no tables.

/** Whether an object's SQLite has a table of this name. */
export const hasTable = (sql: SqlStorage, name: string): boolean =>
  sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", name).toArray().length > 0;
