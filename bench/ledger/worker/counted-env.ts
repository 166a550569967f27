// The program's bindings → the same ones, which count what they are asked.
import { queueOperationsOf } from "../../../core/cost/bill.ts";
import { count, statementName } from "./meters.ts";

/** Where a queue's messages go instead: they are delivered when the time has come for them. */
export type Enqueue = (queue: string, bodies: readonly unknown[]) => void;

/** Names and numbers around a block, in the queue's own encoding. */
const MESSAGE_FRAMING_BYTES = 200;

/** Returns the environment with every database, bucket and queue counted; objects count their own calls. */
export function countedEnv<Env extends object>(env: Env, enqueue: Enqueue): Env {
  const counted: Record<string, unknown> = { ...(env as Record<string, unknown>) };
  for (const [name, binding] of Object.entries(env)) {
    if (name === "CONTROL") counted[name] = countedDatabase(binding as D1Database, "control");
    else if (/^WARM_\d+$/.test(name)) counted[name] = countedDatabase(binding as D1Database, "warm");
    else if (name === "COLD") counted[name] = countedBucket(binding as R2Bucket);
    else if (name === "ROLLUPS" || name === "NOTICES") counted[name] = countedQueue(name, enqueue);
  }
  return counted as Env;
}

function countedDatabase(database: D1Database, name: string): D1Database {
  const note = (sql: string, meta: D1Meta) => {
    count("d1RowsRead", `${name} ${statementName(sql)}`, meta.rows_read);
    count("d1RowsWritten", `${name} ${statementName(sql)}`, meta.rows_written);
  };
  const inner = new WeakMap<object, { statement: D1PreparedStatement; sql: string }>();
  const wrap = (statement: D1PreparedStatement, sql: string): D1PreparedStatement => {
    const all = async <T>() => {
      const result = await statement.all<T>();
      note(sql, result.meta);
      return result;
    };
    const wrapped = {
      bind: (...values: unknown[]) => wrap(statement.bind(...values), sql),
      all,
      run: all,
      first: async (column?: string) => {
        const row = (await all<Record<string, unknown>>()).results[0];
        return row === undefined ? null : column === undefined ? row : row[column];
      },
      raw: async () => (await all<Record<string, unknown>>()).results.map((row) => Object.values(row)),
    } as unknown as D1PreparedStatement;
    inner.set(wrapped, { statement, sql });
    return wrapped;
  };
  return {
    prepare: (sql: string) => wrap(database.prepare(sql), sql),
    batch: async (statements: D1PreparedStatement[]) => {
      const found = statements.map((statement) => inner.get(statement)!);
      const results = await database.batch(found.map(({ statement }) => statement));
      for (const [i, { meta }] of results.entries()) note(found[i]!.sql, meta);
      return results;
    },
  } as unknown as D1Database;
}

const CLASS_A = new Set(["put", "list", "createMultipartUpload", "uploadPart", "complete"]);
const CLASS_B = new Set(["get", "head"]);

function countedBucket<Of extends object>(bucket: Of): Of {
  return new Proxy(bucket, {
    get: (target, name: string) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        const first = args[0];
        const key =
          typeof first === "string" ? first : ((first as { prefix?: string } | undefined)?.prefix ?? "");
        if (CLASS_A.has(name)) count("r2ClassA", `${name} ${key.split("/")[0]}`);
        if (CLASS_B.has(name)) count("r2ClassB", `${name} ${key.split("/")[0]}`);
        const answer: unknown = Reflect.apply(member, target, args);
        if (name !== "createMultipartUpload") return answer;
        return (answer as Promise<R2MultipartUpload>).then(countedBucket);
      };
    },
  });
}

/** A message's bytes, as near as its block or its text says. */
const bytesOf = (body: unknown) =>
  ((body as { block?: Uint8Array }).block?.length ?? JSON.stringify(body).length) + MESSAGE_FRAMING_BYTES;

function countedQueue(name: string, enqueue: Enqueue) {
  const send = async (bodies: unknown[]) => {
    for (const body of bodies) count("queueOperations", name.toLowerCase(), queueOperationsOf(bytesOf(body)));
    enqueue(name, structuredClone(bodies));
    return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
  };
  return {
    send: (body: unknown) => send([body]),
    sendBatch: (messages: Iterable<{ body: unknown }>) => send([...messages].map(({ body }) => body)),
  };
}
