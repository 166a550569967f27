import { env, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { ObjectTables, type SchemaStep } from "./object-tables.ts";

const FIRST: SchemaStep = {
  name: "tables",
  statements: ["CREATE TABLE thing (id INTEGER PRIMARY KEY, a TEXT NOT NULL)"],
};
const SECOND: SchemaStep = {
  name: "thing.b",
  statements: ["ALTER TABLE thing ADD COLUMN b INTEGER NOT NULL DEFAULT 7"],
};
const THIRD: SchemaStep = {
  name: "other",
  statements: ["CREATE TABLE other (id INTEGER PRIMARY KEY)", "INSERT INTO other SELECT id FROM thing"],
};
const OTHER_SECOND: SchemaStep = {
  name: "thing.c",
  statements: ["ALTER TABLE thing ADD COLUMN c INTEGER"],
};

/** Runs in an object of its own; `tables` is the store as a deploy with these steps sees it when the object wakes. */
const inObject = (
  name: string,
  act: (tables: (...steps: SchemaStep[]) => ObjectTables, storage: DurableObjectStorage) => void,
) =>
  runInDurableObject(env.FLEET.getByName(name), (_object, { storage }) =>
    act((...steps) => new ObjectTables(storage, { store: "thing", marker: "thing", steps }), storage),
  );

const thing = (storage: DurableObjectStorage) => storage.sql.exec("SELECT * FROM thing").toArray();

it("[D32] an object that nobody wrote to has no tables, also after it was asked", () =>
  inObject("asked", (tables, storage) => {
    expect(tables(FIRST, SECOND).exist()).toBe(false);
    const own = "SELECT name FROM sqlite_master WHERE name IN ('thing', 'schema_step')";
    expect(storage.sql.exec(own).toArray()).toEqual([]);
  }));

it("[D32] tables of an older deploy take each step they lack, once, and keep their rows", () =>
  inObject("older", (tables, storage) => {
    tables(FIRST).make();
    storage.sql.exec("INSERT INTO thing (id, a) VALUES (1, 'kept')");
    expect(tables(FIRST).exist()).toBe(true);
    expect(thing(storage)).toEqual([{ id: 1, a: "kept" }]);
    for (let wakes = 0; wakes < 2; wakes++) {
      expect(tables(FIRST, SECOND).exist()).toBe(true);
      expect(thing(storage)).toEqual([{ id: 1, a: "kept", b: 7 }]);
    }
    for (let wakes = 0; wakes < 2; wakes++) tables(FIRST, SECOND, THIRD).exist();
    expect(storage.sql.exec("SELECT id FROM other").toArray()).toEqual([{ id: 1 }]);
  }));

it("[D32] tables made by this deploy have every step's shape, and take none again", () =>
  inObject("made", (tables, storage) => {
    const made = tables(FIRST, SECOND, THIRD);
    made.make();
    made.make();
    storage.sql.exec("INSERT INTO thing (id, a) VALUES (1, 'x')");
    expect(tables(FIRST, SECOND, THIRD).exist()).toBe(true);
    expect(thing(storage)).toEqual([{ id: 1, a: "x", b: 7 }]);
  }));

it("[D32] a history that differs is refused: code rolled back too far, or a step that was edited", () =>
  inObject("differs", (tables) => {
    tables(FIRST, SECOND).make();
    expect(() => tables(FIRST).exist()).toThrow(/took the steps \[thing\.b\], this code knows \[\]/);
    expect(() => tables(FIRST, OTHER_SECOND).exist()).toThrow(/knows \[thing\.c\]/);
    expect(() => tables(FIRST, OTHER_SECOND, SECOND).make()).toThrow(/took the steps/);
    expect(tables(FIRST, SECOND).exist()).toBe(true);
  }));

it("[D32] a step that fails leaves nothing of itself, and is taken at the next waking", () =>
  inObject("fails", (tables, storage) => {
    tables(FIRST).make();
    const failing = {
      name: SECOND.name,
      statements: [...SECOND.statements, "INSERT INTO nowhere VALUES (1)"],
    };
    expect(() => tables(FIRST, failing).exist()).toThrow(/nowhere/);
    storage.sql.exec("INSERT INTO thing (id, a) VALUES (1, 'x')");
    expect(thing(storage)).toEqual([{ id: 1, a: "x" }]);
    expect(tables(FIRST, SECOND).exist()).toBe(true);
    expect(thing(storage)).toEqual([{ id: 1, a: "x", b: 7 }]);
  }));
