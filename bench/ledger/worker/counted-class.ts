// A class of objects → the same one, which counts its calls, rows and alarms, and whose alarms fire when our time passes them.
import { count, countObject, statementName } from "./meters.ts";

// biome-ignore lint/suspicious/noExplicitAny: a class with any arguments, as mixins take it
type Class = new (...args: any[]) => object;

/** When which object is to be woken, by `class name`. */
export const alarms = new Map<string, { kind: string; name: string; atMs: number }>();

/** Bytes of the objects' databases, by `class name`, as each last saw its own: nobody else may ask. */
const sizes = new Map<string, number>();

/** Bytes of the databases of all objects of a class. */
export function objectBytes(kind: string): number {
  let bytes = 0;
  for (const [key, size] of sizes) if (key.startsWith(`${kind} `)) bytes += size;
  return bytes;
}

/** How many messages of sockets are dealt with. */
export const handled = { messages: 0 };

/** No calls: closing is billed with the socket. */
const FREE = new Set(["constructor", "webSocketClose", "webSocketError", "rowsWritten"]);
const MESSAGES_A_REQUEST = 20;

/** Counts everything objects of the class do, under `kind`; `wrapEnv` gives them counted bindings. */
export function countedClass<Of extends Class>(
  kind: string,
  base: Of,
  wrapEnv: <Env extends object>(env: Env) => Env,
): Of {
  for (const name of Object.getOwnPropertyNames(base.prototype)) {
    const { value: method } = Object.getOwnPropertyDescriptor(base.prototype, name)!;
    if (FREE.has(name) || typeof method !== "function") continue;
    Object.defineProperty(base.prototype, name, {
      configurable: true,
      value(this: unknown, ...args: unknown[]) {
        const isMessage = name === "webSocketMessage";
        countObject(`${kind} ${name}`, isMessage ? 1 / MESSAGES_A_REQUEST : 1);
        const answer: unknown = method.apply(this, args);
        if (isMessage) void (answer as Promise<void>).finally(() => (handled.messages += 1));
        return answer;
      },
    });
  }
  return class extends base {
    // biome-ignore lint/suspicious/noExplicitAny: mixins have this constructor
    constructor(...args: any[]) {
      const [ctx, env] = args as [DurableObjectState, object];
      countRows(kind, `${kind} ${ctx.id.name}`, ctx.storage.sql);
      takeAlarms(kind, ctx);
      super(ctx, wrapEnv(env));
    }

    /** Called by us when the time has come. */
    async ring(): Promise<void> {
      await (this as unknown as { alarm(): Promise<void> }).alarm();
    }
  };
}

function countRows(kind: string, key: string, sql: SqlStorage): void {
  const exec = sql.exec.bind(sql);
  sql.exec = ((query: string, ...bindings: unknown[]) => {
    const cursor = exec(query, ...bindings);
    const what = `${kind} ${statementName(query)}`;
    count("objectRowsWritten", what, cursor.rowsWritten);
    // What is read is known when it is read: soon after.
    queueMicrotask(() => count("objectRowsRead", what, cursor.rowsRead));
    if (cursor.rowsWritten > 0) sizes.set(key, sql.databaseSize);
    return cursor;
  }) as SqlStorage["exec"];
}

function takeAlarms(kind: string, ctx: DurableObjectState): void {
  const name = ctx.id.name!;
  const key = `${kind} ${name}`;
  ctx.storage.setAlarm = async (at) => {
    count("objectRowsWritten", `${kind} setAlarm`);
    alarms.set(key, { kind, name, atMs: Number(at) });
  };
  ctx.storage.getAlarm = async () => alarms.get(key)?.atMs ?? null;
  ctx.storage.deleteAlarm = async () => void alarms.delete(key);
}
