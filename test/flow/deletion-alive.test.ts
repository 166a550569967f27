// A device that goes on reporting through every door while it is deleted: what is taken after the 202 is kept, the rest is gone.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { type JobAnswer, jobAnswer } from "../../schemas/job.ts";
import type { ServerFrame } from "../../schemas/reading.ts";
import { AlertClient } from "./alert-client.ts";
import { FrameSocket } from "./frame-socket.ts";
import type { TenantClient } from "./tenant-client.ts";
import { eachTopology, type ServerUnderTest } from "./topology.ts";
import { until } from "./until.ts";

const PAUSE_MS = 20;
/** A door that takes nothing for so many tries is a failure, not patience. */
const TRIES_MAX = 2_000;

const asAdmin = async (tenant: TenantClient, path: string, method = "GET") =>
  tenant.ask(path, { method, token: await tenant.token("admin") });

/** Lets the cron tick until the job is over. */
const finished = (server: ServerUnderTest, tenant: TenantClient, id: string): Promise<JobAnswer> =>
  until(`the end of job ${id}`, async () => {
    await server.run.tick();
    const job = jobAnswer.parse((await asAdmin(tenant, `/v1/admin/jobs/${id}`)).body);
    return job.finishedAt === null ? undefined : job;
  });

/** One metric of the device that comes through one door, reading after reading, each sent again until it is acknowledged. */
class Door {
  readonly metric: string;
  /** Values by when they were first sent: before the DELETE, while it was answered, after the 202. */
  readonly sent = { before: [] as number[], meanwhile: [] as number[], after: [] as number[] };
  readonly #reports: (value: number) => Promise<boolean>;

  /** @param reports sends a value once; true: it was acknowledged as taken. */
  constructor(metric: string, reports: (value: number) => Promise<boolean>) {
    this.metric = metric;
    this.#reports = reports;
  }

  async play(phase: () => keyof Door["sent"], isOver: () => boolean): Promise<void> {
    for (let value = 0; !isOver(); value++) {
      const list = this.sent[phase()];
      for (let tries = 0; !(await this.#reports(value)); tries++) {
        if (tries > TRIES_MAX) throw new Error(`${this.metric} ${value} is never taken`);
        await sleep(PAUSE_MS);
      }
      list.push(value);
      await sleep(PAUSE_MS);
    }
  }
}

/** A socket that is opened again when it was closed, and whose closes are noted. */
class Line {
  readonly closes: number[] = [];
  readonly #open: () => Promise<FrameSocket<ServerFrame>>;
  #socket: FrameSocket<ServerFrame> | undefined;

  constructor(open: () => Promise<FrameSocket<ServerFrame>>) {
    this.#open = open;
  }

  async report(seq: number, report: object): Promise<boolean> {
    this.#socket ??= await this.#open();
    const socket = this.#socket;
    socket.send({ type: "report", seq, ...report });
    return await until("an acknowledgement, or the end of the line", () => {
      if (socket.frames.some((frame) => frame.type === "ack" && frame.seq === seq)) return true;
      if (socket.closeCode === undefined) return undefined;
      this.closes.push(socket.closeCode);
      this.#socket = undefined;
      return false;
    });
  }

  async close(): Promise<void> {
    await this.#socket?.close();
  }
}

eachTopology((server) => {
  it("[D28] [D29] [S31] [S32] what any door takes after the 202 is kept, what it took before the DELETE is gone", async () => {
    const acme = server.tenant("deletion-alive");
    const startMs = Date.now() - 3_600_000;
    const at = (value: number) => startMs + value;
    const url = `${server.run.url}/v1/connect?commitEveryMs=0`;
    const own = new Line(async () => FrameSocket.open(url, { token: await acme.token("device", "d1") }));
    const shared = new Line(async () => FrameSocket.open(url, { token: await acme.token("gateway") }));
    const doors = [
      new Door("https", async (value) => {
        const { status, body } = await acme.post(
          JSON.stringify({ at: at(value), metrics: { https: value } }),
          "d1",
        );
        return status === 200 && (body as { refused: number }).refused === 0;
      }),
      new Door("socket", (value) => own.report(value, { at: at(value), metrics: { socket: value } })),
      new Door("gateway", (value) =>
        shared.report(value, { device: "d1", at: at(value), metrics: { gateway: value } }),
      ),
    ];
    let phase: keyof Door["sent"] = "before";
    let isOver = false;
    const playing = Promise.all(
      doors.map((door) =>
        door.play(
          () => phase,
          () => isOver,
        ),
      ),
    );
    const each = (list: keyof Door["sent"], count: number) =>
      until(`${count} readings of each door ${list}`, () =>
        doors.every(({ sent }) => sent[list].length >= count) ? true : undefined,
      );
    try {
      await each("before", 5);
      expect(await acme.seal("d1")).toMatchObject({ status: 200 });
      phase = "meanwhile";
      const answer = await asAdmin(acme, "/v1/devices/d1", "DELETE");
      expect(answer.status).toBe(202);
      phase = "after";
      const { id } = jobAnswer.parse(answer.body);
      expect((await acme.put("/v1/devices/d1", { name: "again", zone: "attic" })).status).toBe(200);
      await each("after", 3);
      // Its blocks come to storage before the job has begun.
      expect(await acme.seal("d1")).toMatchObject({ status: 200 });
      await each("after", 6);
      expect(await finished(server, acme, id)).toMatchObject({ status: "done", error: null });
      await each("after", 12);
    } finally {
      isOver = true;
      await playing;
    }
    await own.close();
    await shared.close();
    expect(own.closes).toEqual([4003]);
    expect(shared.closes).toEqual([]);

    await until("everything in storage", async () =>
      ((await acme.seal("d1")).body as { pending: number }).pending === 0 ? true : undefined,
    );
    for (const { metric, sent } of doors) {
      const found = (await acme.readings("d1", metric)).map(([, value]) => value);
      expect(
        found.filter((value) => sent.before.includes(value)),
        metric,
      ).toEqual([]);
      expect(
        found.filter((value) => sent.after.includes(value)),
        metric,
      ).toEqual(sent.after);
    }
    expect((await acme.get("/v1/devices/d1")).body).toMatchObject({ name: "again", zone: "attic" });
  });

  it("[A17] [A48] [A49] [A51] its alerts and their history go, the incident keeps a member without a name, the next life fires anew", async () => {
    const acme = new AlertClient(server.tenant("deletion-alerts"), server.run.secret);
    await acme.addRule({ id: "too-hot", condition: { type: "threshold", metric: "temp", above: 80 } });
    const ownRule = { id: "own", scope: { device: "d1" } };
    await acme.addRule({ ...ownRule, condition: { type: "threshold", metric: "temp", above: 94 } });
    const read = (device: string, temp: number) => acme.tenant.send({ metrics: { temp } }, device);
    for (const device of ["d1", "d2"]) await read(device, 90);
    const listed = (device: string, count: number) =>
      until(`${count} alerts of ${device}`, async () => {
        const { alerts } = await acme.alerts(`device=${device}`);
        return alerts.length === count ? alerts : undefined;
      });
    const [own] = await listed("d1", 1);
    const [other] = await listed("d2", 1);
    const { id } = jobAnswer.parse((await asAdmin(acme.tenant, "/v1/devices/d1", "DELETE")).body);
    expect(await finished(server, acme.tenant, id)).toMatchObject({
      status: "done",
      progress: { counts: { alerts: 1 } },
    });

    expect((await acme.alerts()).alerts.map(({ device }) => device)).toEqual(["d2"]);
    expect(await acme.tenant.get(`/v1/alerts/${own!.id}`)).toMatchObject({
      status: 404,
      body: { code: "alert_not_found" },
    });
    const shown = await acme.incident(other!.incident);
    expect(shown).toMatchObject({ incident: { members: 2, active: 1 }, nameless: 1 });
    expect(JSON.stringify(shown)).not.toContain("d1");
    // Of what is over D1 says the same, when the zone has let go.
    await read("d2", 20);
    await until("the end of the incident", async () =>
      (await acme.incident(other!.incident)).incident.resolvedAt === null ? undefined : true,
    );
    const control = await server.run.miniflare.getD1Database("CONTROL", server.run.objectsWorker);
    const { results } = await control
      .prepare("SELECT alert FROM alert_event WHERE tenant = 'deletion-alerts' AND alert LIKE '%.d1'")
      .all();
    expect(results).toEqual([]);

    // Rules that name the device are people's, and hold for its next life.
    await read("d1", 95);
    const [anew, other95] = (await listed("d1", 2)).sort((a, b) => (a.rule.id > b.rule.id ? -1 : 1));
    expect([anew!.rule.id, other95!.rule.id]).toEqual(["too-hot", "own"]);
    expect(anew!.id).not.toBe(own!.id);
    expect((await acme.alert(anew!.id)).history.map(({ kind }) => kind)).toEqual(["fired"]);
  });
});
