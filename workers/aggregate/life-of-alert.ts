// The id of an alert → the life of its device that it is of, in SQL.

/**
 * Returns SQL for the generation in an alert's id, `<rule>.<generation>.<episode>.<device>`; a rule's id has no dot.
 * `id` is SQL too: a column or a parameter.
 */
export const lifeOfAlert = (id: string) => `CAST(substr(${id}, instr(${id}, '.') + 1) AS INTEGER)`;
