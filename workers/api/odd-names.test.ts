// Every name that people give, with each character that no line of visible text has.
import { env } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import type { Rule } from "../../schemas/alert.ts";
import type { Channel, Silence } from "../../schemas/channel.ts";
import { problem } from "../test-support.ts";
import { answerOf, ask, named, register } from "./api-test-support.ts";

vi.setConfig({ testTimeout: 60_000 });

const CONDITION = { type: "threshold", metric: "temp", above: 1 };
const RULE = { name: "Hot", condition: CONDITION };
const CHANNEL = { name: "Hook", target: { type: "webhook", url: "http://127.0.0.1:1/" } };
const SILENCE = { comment: "work", endsAt: null };

/** Where a name is given: how to send one, its path in the body, and whether it may have several lines. */
const PLACES: [what: string, method: string, path: string, body: (text: string) => object, field: string][] =
  [
    ["a rule", "POST", "/v1/rules", (name) => ({ ...RULE, name }), "name"],
    ["a rule's model", "POST", "/v1/rules", (model) => ({ ...RULE, scope: { model } }), "scope.model"],
    [
      "a rule's metric",
      "POST",
      "/v1/rules",
      (metric) => ({ ...RULE, condition: { ...CONDITION, metric } }),
      "condition.metric",
    ],
    [
      "an expression's metric",
      "POST",
      "/v1/rules",
      (left) => ({ ...RULE, condition: { type: "expression", left, operator: "+", right: "b", above: 1 } }),
      "condition.left",
    ],
    [
      "a rule that is tried",
      "POST",
      "/v1/rules/preview",
      (name) => ({ rule: { ...RULE, name }, from: 0, to: 1 }),
      "rule.name",
    ],
    ["a channel", "POST", "/v1/channels", (name) => ({ ...CHANNEL, name }), "name"],
    ["a device", "PUT", "/v1/devices/d1", (name) => ({ name }), "name"],
    ["a device's model", "PUT", "/v1/devices/d1", (model) => ({ model }), "model"],
    [
      "a silence's model",
      "POST",
      "/v1/silences",
      (model) => ({ ...SILENCE, matcher: { model } }),
      "matcher.model",
    ],
    ["who has an alert", "POST", "/v1/alerts/r.0.1.d1/assign", (to) => ({ to }), "to"],
    ["who has an incident", "POST", "/v1/incidents/north.1/assign", (to) => ({ to }), "to"],
  ];
const TEXTS: typeof PLACES = [
  ["a silence's comment", "POST", "/v1/silences", (comment) => ({ ...SILENCE, comment }), "comment"],
  ...["ack", "comment", "resolve"].map((action): (typeof PLACES)[number] => [
    `what is said with ${action}`,
    "POST",
    `/v1/alerts/r.0.1.d1/${action}`,
    (text) => ({ text }),
    "text",
  ]),
  ["what is said of an incident", "POST", "/v1/incidents/north.1/comment", (text) => ({ text }), "text"],
];
const LINE_ENDS = ["\n", "\r", "\t"];
const ODD = [
  ...["\u0000", "\u0007", "\u001b", "\u007f", "\u0080", "\u0085", "\u009f", "\u2028", "\u2029"],
  ...["\u061c", "\u200e", "\u200f", "\u202a", "\u202e", "\u2066", "\u2069", "\ud800", "\udc00"],
];
const codeOf = (character: string) =>
  `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

describe("names", () => {
  it.each(PLACES)(
    "[I32] %s: refused, with the character and its place",
    async (_, method, path, body, field) => {
      for (const character of [...LINE_ENDS, ...ODD]) {
        const text = `😀a${character}Bcc: all`;
        const { detail } = await problem(
          ask("odd-names", "admin", path, { method, body: body(text) }),
          400,
          path.startsWith("/v1/rules") ? "invalid_rule" : "invalid_body",
        );
        expect(detail).toContain(`${field}: `);
        // A metric with half a surrogate pair is refused in other words.
        if (!field.startsWith("condition") || text.isWellFormed())
          expect(detail).toMatch(new RegExp(`has U\\${codeOf(character).slice(1)} .*as character 3`));
      }
    },
  );

  it.each(TEXTS)(
    "[I32] %s may have several lines, and nothing else that is odd",
    async (_, method, path, body, field) => {
      for (const character of ODD) {
        const { detail } = await problem(
          ask("odd-names", "admin", path, { method, body: body(`a\n${character}`) }),
          400,
          "invalid_body",
        );
        expect(detail).toContain(`${field}: it has ${codeOf(character)} `);
      }
      const { status } = await ask("odd-names", "admin", path, { method, body: body("a\r\n\tb") });
      expect([200, 201, 404]).toContain(status); // the alert is not there
    },
  );

  it("[I32] every other character is taken", async () => {
    const name = "Pumpe „Nord“ №7 — 温度 👩‍🔧 e\u0301 \u00a0≥ 90 °C <b>&amp;";
    for (const [, method, path, body] of PLACES.slice(0, 4)) {
      const taken = await ask("odd-names-taken", "admin", path, { method, body: body(name) });
      expect(taken.status).toBe(201);
    }
    expect(
      await answerOf(ask("odd-names-taken", "admin", "/v1/devices/d1", { method: "PUT", body: { name } })),
    ).toMatchObject({ name });
  });

  it("[I32] [I3] who a token names", async () => {
    for (const sub of ["Ada\nBcc: all", "a\u202eb"]) {
      const headers = await named("odd-names", "operator", sub);
      const { detail } = await problem(
        ask("odd-names", "viewer", "/v1/session", { headers }),
        401,
        "token_invalid",
      );
      expect(detail).toContain(`"sub" has ${codeOf(sub.includes("\n") ? "\n" : "\u202e")} `);
    }
  });
});

it("[I32] what was stored before is still read, shown and put right", async () => {
  const tenant = "odd-names-stored";
  const odd = "Too\r\nhot\u2028";
  const rule: Partial<Rule> & object = {
    ...{
      id: "hot",
      version: 1,
      createdAt: 0,
      updatedAt: 0,
      updatedBy: "a\nb",
      name: odd,
      scope: { model: odd },
    },
    ...{ condition: { type: "threshold", metric: "t\u0085", above: 1 }, enabled: true },
  };
  const channel = { ...CHANNEL, id: "hook", name: odd, createdAt: 0, updatedAt: 0 };
  const silence = {
    ...SILENCE,
    id: "s",
    comment: "a\u0000b",
    matcher: { model: odd },
    startsAt: 0,
    createdAt: 0,
    createdBy: odd,
  };
  const put = (table: string, { id, ...body }: { id?: string }) =>
    env.CONTROL.prepare(`INSERT INTO ${table} (tenant, id, body) VALUES (?, ?, ?)`).bind(
      ...[tenant, id, JSON.stringify({ id, ...body })],
    );
  await env.CONTROL.batch([put("rule", rule), put("channel", channel), put("silence", silence)]);
  await register(tenant, [{ device: "d1" }]);
  await env.CONTROL.prepare("UPDATE device SET name = ?, model = ? WHERE tenant = ?")
    .bind(odd, odd, tenant)
    .run();
  const get = <Answer>(path: string) => answerOf<Answer>(ask(tenant, "admin", path));
  expect((await get<{ rules: Rule[] }>("/v1/rules")).rules).toMatchObject([
    { name: odd, scope: { model: odd } },
  ]);
  expect((await get<{ channels: Channel[] }>("/v1/channels")).channels).toMatchObject([{ name: odd }]);
  expect((await get<{ silences: Silence[] }>("/v1/silences")).silences).toMatchObject([{ createdBy: odd }]);
  expect(await get("/v1/devices/d1")).toMatchObject({ name: odd, model: odd });
  expect((await ask(tenant, "viewer", "/v1/devices/d1/history?metric=t%C2%85")).status).toBe(200);
  const shown = await get<Rule>("/v1/rules/hot");
  const right = { ...shown, name: "Too hot", scope: {}, condition: CONDITION };
  expect((await ask(tenant, "admin", "/v1/rules/hot", { method: "PUT", body: right })).status).toBe(200);
  const body = { ...(await get<Channel>("/v1/channels/hook")), name: "Hook" };
  expect((await ask(tenant, "admin", "/v1/channels/hook", { method: "PUT", body })).status).toBe(200);
});
