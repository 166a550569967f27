import { env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import type { Silence } from "../../schemas/channel.ts";
import { SILENCES_PER_TENANT_MAX } from "../../schemas/limits.ts";
import { HOUR_MS, problem, T0 } from "../test-support.ts";
import { answerOf, ask, named, register } from "./api-test-support.ts";

vi.setConfig({ testTimeout: 60_000 });

const DAY_MS = 24 * HOUR_MS;

/** Zones that keep that they were asked to release; those of `away` do not answer. */
class ToldZones {
  readonly released: string[] = [];
  away: string[] = [];

  getByName(name: string) {
    return {
      release: async () => {
        if (this.away.includes(name)) throw new Error("away");
        this.released.push(name);
      },
    };
  }
}

const at = (ms: number) => ({ "telltale-clock": String(ms) });
const post = (tenant: string, body: object, now = T0, bindings = {}) =>
  ask(tenant, "operator", "/v1/silences", { method: "POST", body, headers: at(now), bindings });
const list = async (tenant: string) =>
  (await answerOf<{ silences: Silence[] }>(ask(tenant, "viewer", "/v1/silences"))).silences;

it.each([
  [{ endsAt: null }, /comment/],
  [{ comment: "x" }, /endsAt/],
  [{ comment: "x", endsAt: T0 - 1 }, /endsAt: \d+ is over; now it is \d+/],
  [{ comment: "x", startsAt: T0 + 2, endsAt: T0 + 1 }, /"startsAt" is before "endsAt"/],
  [{ comment: "x", endsAt: null, matcher: { planet: "mars" } }, /matcher.*planet/],
  [{ comment: "x", endsAt: null, matcher: { severity: "bad" } }, /matcher\.severity.*not "bad"/],
  [{ comment: "x", endsAt: null, hours: [{ from: "8", to: "9" }] }, /hours\.0\.from.*HH:MM.*not "8"/],
  [
    { comment: "x", endsAt: null, hours: [{ from: "08:00", to: "09:00", timeZone: "Mars" }] },
    /Europe\/Berlin.*"Mars"/,
  ],
])("[A29] a silence is refused with what is wrong and the remedy: %j", async (body, says) => {
  expect((await problem(post("bad-silences", body), 400, "invalid_body")).detail).toMatch(says);
  expect(await list("bad-silences")).toEqual([]);
});

it("[A29] [A47] a silence begins and ends; each time every zone is asked to judge again what it holds", async () => {
  await register("silences", [
    { device: "a", zone: "north" },
    { device: "b", zone: "south" },
    { device: "c", zone: "away" },
  ]);
  const zones = new ToldZones();
  zones.away = ["silences/away"];
  const bindings = { ZONE: zones };
  const headers = { ...(await named("silences", "operator", "Ada")), ...at(T0) };
  const body = { comment: "pump is being replaced", endsAt: T0 + HOUR_MS, matcher: { device: "a" } };
  const made = await ask("silences", "operator", "/v1/silences", { method: "POST", body, headers, bindings });
  expect(made.status).toBe(201);
  const silence = await made.json<Silence>();
  expect(silence).toMatchObject({ ...body, startsAt: T0, hours: [], createdBy: "Ada", createdAt: T0 });
  await vi.waitFor(() => expect(zones.released.splice(0)).toEqual(["silences/north", "silences/south"]));
  const end = (now: number) =>
    answerOf<Silence>(
      ask("silences", "operator", `/v1/silences/${silence.id}`, {
        method: "DELETE",
        headers: at(now),
        bindings,
      }),
    );
  expect(await end(T0 + 5)).toEqual({ ...silence, endsAt: T0 + 5 });
  await vi.waitFor(() => expect(zones.released).toEqual(["silences/north", "silences/south"]));
  expect(await end(T0 + 9)).toMatchObject({ endsAt: T0 + 5 });
  expect(await list("silences")).toEqual([{ ...silence, endsAt: T0 + 5 }]);
  const none = ask("silences", "operator", "/v1/silences/none", { method: "DELETE" });
  await problem(none, 404, "silence_not_found");
});

it("[A29] one that has not begun never does when it is ended", async () => {
  const made = await answerOf<Silence>(
    post("future", { comment: "x", startsAt: T0 + HOUR_MS, endsAt: null }),
  );
  const ended = ask("future", "operator", `/v1/silences/${made.id}`, {
    method: "DELETE",
    headers: at(T0 + 1),
  });
  expect(await answerOf(ended)).toMatchObject({ startsAt: T0 + 1, endsAt: T0 + 1 });
});

it("[A29] what ended 30 days ago goes with the next one; a tenant has at most 500", async () => {
  await answerOf(post("old", { comment: "old", endsAt: T0 + 1 }));
  await answerOf(post("old", { comment: "for ever", endsAt: null }));
  await answerOf(post("old", { comment: "recent", endsAt: T0 + 5 }, T0 + 2));
  await answerOf(post("old", { comment: "new", endsAt: null }, T0 + 30 * DAY_MS + 3));
  expect((await list("old")).map(({ comment }) => comment)).toEqual(["new", "recent", "for ever"]);
  await env.CONTROL.prepare("INSERT INTO silence SELECT 'full', value, ?2 FROM json_each(?1)")
    .bind(
      JSON.stringify(Array.from({ length: SILENCES_PER_TENANT_MAX }, (_, i) => i)),
      JSON.stringify({ comment: "x", startsAt: 0, endsAt: null, id: "x", createdAt: 0, createdBy: "x" }),
    )
    .run();
  const more = await problem(post("full", { comment: "x", endsAt: null }), 409, "conflict");
  expect(more.detail).toMatch(/500.*silence more with one/);
});

it("[I5] another tenant's silences do not exist for the caller", async () => {
  const { id } = await answerOf<Silence>(post("silence-owner", { comment: "x", endsAt: null }));
  expect(await list("silence-stranger")).toEqual([]);
  const end = ask("silence-stranger", "admin", `/v1/silences/${id}`, { method: "DELETE" });
  await problem(end, 404, "silence_not_found");
  expect(await list("silence-owner")).toMatchObject([{ id, endsAt: null }]);
});
