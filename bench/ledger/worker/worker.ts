// The program that is deployed, and a fleet that it serves, in a world whose time is ours and where everything billed is counted.

import type { DayCounts } from "../../../core/cost/ledger.ts";
import { signToken } from "../../../core/token/sign.ts";
import program, * as telltale from "../../../workers/single.ts";
import { atOf, metricsText } from "../../run/reports.ts";
import type { Played, PlayedFleet, Stored } from "../fleet.ts";
import { countedClass, handled, objectBytes } from "./counted-class.ts";
import { countedEnv } from "./counted-env.ts";
import { count, counted } from "./meters.ts";
import { type Handlers, stopTime, World } from "./time.ts";

type Env = Parameters<typeof program.fetch>[1];

const DAY_MS = 86_400_000;
const GATEWAY_DEVICES = 100;
const TOKEN_TTL_SECONDS = 3_000 * 86_400;

let world: World | undefined;
const wrapEnv = <Of extends object>(env: Of) =>
  countedEnv(env, (queue, bodies) => world!.enqueue(queue, bodies));

export const DeviceObject = countedClass("device", telltale.DeviceObject, wrapEnv);
export const ZoneObject = countedClass("zone", telltale.ZoneObject, wrapEnv);
export const TenantObject = countedClass("tenant", telltale.TenantObject, wrapEnv);
export const ChannelObject = countedClass("channel", telltale.ChannelObject, wrapEnv);
export const FleetObject = countedClass("fleet", telltale.FleetObject, wrapEnv);

/** A tail's own record of an invocation that is sampled is not counted: only what the program logs. */
for (const level of ["log", "info", "warn", "error"] as const) {
  const say = console[level];
  console[level] = (...args: unknown[]) => {
    count(
      "logGb",
      level,
      args.map((arg) => JSON.stringify(arg)?.length ?? 0).reduce((a, b) => a + b, 0) / 1e9,
    );
    say(...args);
  };
}

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname !== "/ledger/play") return new Response("POST /ledger/play", { status: 404 });
    const fleet = await request.json<PlayedFleet>();
    if (world === undefined) {
      stopTime(atOf(0));
      world = new World(program as unknown as Handlers, wrapEnv(env));
    }
    return Response.json(await play(world, fleet, env, ctx));
  },
} satisfies ExportedHandler<Env>;

async function play(world: World, fleet: PlayedFleet, env: Env, ctx: ExecutionContext): Promise<Played> {
  const ask = async (path: string, token: string, init: RequestInit = {}) => {
    count("workerRequests", path.split("?")[0]!);
    const headers = { authorization: `Bearer ${token}`, ...init.headers };
    const request = new Request(`http://telltale${path}`, { ...init, headers });
    const response = await program.fetch(request as never, wrapEnv(env), ctx);
    if (response.status >= 300) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response;
  };
  const { tenant, devices, zoneSize } = fleet;
  const subject = { tenant, ttlSeconds: TOKEN_TTL_SECONDS };
  const sign = (of: object) => signToken({ ...subject, ...of } as never, env.TOKEN_SECRET!, Date.now());
  const admin = await sign({ role: "admin" });
  if (fleet.settings !== undefined)
    await ask("/v1/tenant", admin, {
      method: "PUT",
      body: JSON.stringify(fleet.settings),
      headers: JSON_TYPE,
    });
  if (devices === 0) return await playOn(world, fleet, env, async () => undefined);
  const names = Array.from({ length: devices }, (_, i) => `device-${i}`);
  const made = names.map((device, i) => ({ device, zone: `zone-${Math.floor(i / zoneSize)}` }));
  await ask("/v1/devices", admin, {
    method: "POST",
    body: JSON.stringify({ devices: made }),
    headers: JSON_TYPE,
  });

  const send = await SENDERS[fleet.transport](fleet, names, sign, ask);
  return await playOn(world, fleet, env, send);
}

/** Lets the days of the fleet pass. */
async function playOn(
  world: World,
  { reportEveryMs, days }: PlayedFleet,
  env: Env,
  send: Send,
): Promise<Played> {
  const out: Played = { days: [], stored: [] };
  let before = counted();
  const startMs = Date.now();
  for (let day = 1; day <= days; day++) {
    for (let at = startMs + (day - 1) * DAY_MS; at < startMs + day * DAY_MS; at += reportEveryMs) {
      await world.advance(at);
      await send(at, Math.floor((at - startMs) / reportEveryMs));
    }
    await world.advance(startMs + day * DAY_MS);
    const after = counted();
    out.days.push(difference(after, before));
    out.stored.push(await storedIn(env));
    before = after;
  }
  return out;
}

const JSON_TYPE = { "content-type": "application/json" };

type Sign = (of: object) => Promise<string>;
type Ask = (path: string, token: string, init?: RequestInit) => Promise<Response>;
/** Has every device make its `nth` report. */
type Send = (atMs: number, nth: number) => Promise<void>;

const SENDERS: Record<
  PlayedFleet["transport"],
  (fleet: PlayedFleet, devices: string[], sign: Sign, ask: Ask) => Promise<Send>
> = {
  async socket({ commitEveryMs }, devices, sign, ask) {
    const sockets = await Promise.all(
      devices.map(async (device) =>
        connect(ask, await sign({ role: "device", device }), `?commitEveryMs=${commitEveryMs}`),
      ),
    );
    return async (at, nth) => {
      const expected = handled.messages + sockets.length;
      for (const socket of sockets)
        socket.send(`{"type":"report","seq":${nth},"at":${at},"metrics":${metricsText(nth)}}`);
      while (handled.messages < expected) await turn();
    };
  },

  async gateway(_fleet, devices, sign, ask) {
    const token = await sign({ role: "gateway" });
    const gateways = await Promise.all(
      Array.from({ length: Math.ceil(devices.length / GATEWAY_DEVICES) }, () => connect(ask, token, "")),
    );
    let acknowledged = 0;
    for (const gateway of gateways)
      gateway.addEventListener("message", ({ data }) => {
        if (String(data).startsWith('{"type":"ack"')) acknowledged += 1;
      });
    const seqs = gateways.map(() => 0);
    return async (at, nth) => {
      const expected = acknowledged + devices.length;
      for (const [i, device] of devices.entries()) {
        const of = Math.floor(i / GATEWAY_DEVICES);
        const seq = seqs[of]!++;
        gateways[of]!.send(
          `{"type":"report","seq":${seq},"device":"${device}","at":${at},"metrics":${metricsText(nth)}}`,
        );
      }
      while (acknowledged < expected) await turn();
    };
  },

  async https({ reportsARequest }, devices, sign, ask) {
    const tokens = await Promise.all(devices.map((device) => sign({ role: "device", device })));
    let texts: string[] = [];
    return async (at, nth) => {
      texts.push(`{"at":${at},"metrics":${metricsText(nth)}}`);
      if (texts.length < reportsARequest) return;
      const body = texts.length === 1 ? texts[0]! : `[${texts.join()}]`;
      texts = [];
      for (const token of tokens)
        await ask("/v1/telemetry", token, { method: "POST", body, headers: JSON_TYPE });
    };
  },
};

async function connect(ask: Ask, token: string, query: string): Promise<WebSocket> {
  const response = await ask(`/v1/connect${query}`, token, { headers: { upgrade: "websocket" } });
  const socket = response.webSocket!;
  socket.accept();
  return socket;
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

function difference(after: DayCounts, before: DayCounts): DayCounts {
  const entries = Object.entries(after).map(([key, value]) => [key, value - (before[key] ?? 0)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== 0));
}

async function storedIn(env: Env): Promise<Stored> {
  let r2Bytes = 0;
  let r2Files = 0;
  for (let cursor: string | undefined; ; ) {
    const page = await env.COLD.list(cursor === undefined ? {} : { cursor });
    for (const { size } of page.objects) r2Bytes += size;
    r2Files += page.objects.length;
    if (!page.truncated) break;
    cursor = page.cursor;
  }
  const { meta } = await env.WARM_0.prepare("SELECT 1").run();
  return { r2Bytes, r2Files, warmBytes: meta.size_after, objectBytes: objectBytes("device") };
}
