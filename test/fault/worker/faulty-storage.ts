// D1 and R2 as they are on a bad day: they refuse, do it and lose the answer, take their time, or fall silent.
import { InjectedFault, someMs, strikes } from "./strikes.ts";

/** A call to a store that is about to be made. */
export interface StoreCall {
  store: "D1" | "R2";
  /** Which database or bucket, and which of its methods. */
  place: string;
  method: string;
}

/** Makes the call, or not, or more than it. */
export type Around = <T>(call: StoreCall, make: () => Promise<T>) => Promise<T>;

const SLOW_MS_MAX = 400;
/** What a silent store was asked to do it does so much later: when who asked has given it up. */
const SILENT_MS = 1_500;
/** Whoever waits for a minute waits so long: a minute of silence is not to be a minute of the round. */
const PATIENCE_MS = 1_000;
const PATIENT_MS = 30_000;

const setTimer = globalThis.setTimeout;
globalThis.setTimeout = ((run: () => void, ms = 0) =>
  setTimer(run, ms < PATIENT_MS ? ms : PATIENCE_MS)) as typeof setTimeout;

/** What silent stores are still to do. */
let stragglers: { dueAt: number; make(): Promise<unknown> }[] = [];

/** Lets silent stores do what is due, or all of it; to be called by whatever comes to the Worker next. */
export async function actLate(all = false): Promise<void> {
  const isDue = ({ dueAt }: { dueAt: number }) => all || dueAt <= Date.now();
  const due = stragglers.filter(isDue);
  stragglers = stragglers.filter((straggler) => !isDue(straggler));
  await Promise.allSettled(due.map(({ make }) => make()));
}

/** For who waits as long as it takes. */
export const suffer: Around = async ({ store, place }, make) => {
  if (strikes(`${store} refuses`, place)) throw new InjectedFault(`${place} refuses`);
  if (strikes(`${store} slow`, place)) await scheduler.wait(someMs(SLOW_MS_MAX, place));
  const result = await make();
  if (strikes(`${store} loses the answer`, place)) throw new InjectedFault(`${place} lost the answer`);
  return result;
};

/** For who gives a store up: it may also never answer. */
export const sufferSilence: Around = async (call, make) => {
  if (!strikes(`${call.store} silent`, call.place)) return await suffer(call, make);
  stragglers.push({ dueAt: Date.now() + SILENT_MS, make });
  return await new Promise<never>(() => undefined);
};

export function aroundDatabase(database: D1Database, name: string, around: Around): D1Database {
  const natives = new WeakMap<D1PreparedStatement, D1PreparedStatement>();
  const prepared = (native: D1PreparedStatement): D1PreparedStatement => {
    const statement = new Proxy(native, {
      get(_, method) {
        const member = Reflect.get(native, method, native);
        if (typeof member !== "function") return member;
        if (method === "bind") return (...values: unknown[]) => prepared(native.bind(...values));
        return (...values: unknown[]) =>
          around({ store: "D1", place: name, method: String(method) }, async () =>
            member.apply(native, values),
          );
      },
    });
    natives.set(statement, native);
    return statement;
  };
  return new Proxy(database, {
    get(_, method) {
      const member = Reflect.get(database, method, database);
      if (typeof member !== "function") return member;
      if (method === "prepare") return (query: string) => prepared(database.prepare(query));
      if (method === "batch") {
        return (statements: D1PreparedStatement[]) =>
          around({ store: "D1", place: name, method }, () =>
            database.batch(statements.map((statement) => natives.get(statement) ?? statement)),
          );
      }
      return member.bind(database);
    },
  });
}

export function aroundBucket(bucket: R2Bucket, around: Around): R2Bucket {
  return new Proxy(bucket, {
    get(_, method) {
      const member = Reflect.get(bucket, method, bucket);
      if (typeof member !== "function") return member;
      return (...values: unknown[]) =>
        around({ store: "R2", place: "COLD", method: String(method) }, async () =>
          member.apply(bucket, values),
        );
    },
  });
}

/** The bindings with every database and bucket among them wrapped. */
export function aroundStores<Env extends object>(env: Env, around: Around): Env {
  const wrapped = Object.entries(env).map(([name, binding]): [string, unknown] => {
    if (name === "CONTROL" || name.startsWith("WARM_")) return [name, aroundDatabase(binding, name, around)];
    return [name, name === "COLD" ? aroundBucket(binding, around) : binding];
  });
  return Object.fromEntries(wrapped) as Env;
}
