import { describe, expect, it } from "vitest";
import type { LimitName } from "../../schemas/tenant-limit.ts";
import { AT, noticeOf } from "../alert/deliver/fake-notice.ts";
import { messageOf } from "../alert/deliver/message.ts";
import { requestOf } from "../alert/deliver/request.ts";
import { measure, newUseRate } from "./use-rate.ts";
import {
  confirm,
  type LimitWarning,
  limitStateOf,
  sent,
  warn,
  warnedLimit,
  warningId,
  warningKey,
  warningSnapshot,
} from "./warn.ts";

const HOUR_MS = 3_600_000;
const uses = (used: number, isRefused = false) => ({ used, isRefused });
/** What is warned of after each of these uses of a limit of 100, an hour after another, each message confirmed at once. */
function warnings(...used: number[]): string[] {
  let warning: LimitWarning | undefined;
  return used.map((own, hour) => {
    warning = warn(warning, uses(own), 100, AT + hour * HOUR_MS);
    const kinds = warning?.waiting.map(({ kind }) => kind) ?? [];
    for (const kind of kinds) warning = confirm(warning!, kind, null);
    return kinds.join();
  });
}

describe("how near a tenant is to a limit", () => {
  it.each([
    [79.9, false, "ok"],
    [80, false, "near"],
    [99.9, false, "near"],
    [100, false, "over"],
    [101, true, "over"],
    [80, true, "near"],
    [75, true, "near"],
    [74.9, true, "ok"],
    [0, true, "ok"],
  ] as const)("[F48] %d %% is, warned %s, %s", (used, isWarned, state) => {
    expect(limitStateOf(uses(used), 100, isWarned)).toBe(state);
  });

  it("[F48] who was refused is over it, who uses nothing of a limit of 0 is not, and without a limit all is well", () => {
    expect(limitStateOf(uses(1, true), 100, false)).toBe("over");
    expect(limitStateOf(uses(0), 0, false)).toBe("ok");
    expect(limitStateOf(uses(0, true), 0, false)).toBe("over");
    expect(limitStateOf(uses(1), 0, false)).toBe("over");
    expect(limitStateOf(uses(1e9, true), null, true)).toBe("ok");
  });
});

describe("warnings", () => {
  it("[A78] use that sways around the limit is one crossing, and less than 75 % ends it", () => {
    expect(warnings(79, 80, 79, 100, 75, 74, 74)).toEqual(["", "fire", "", "", "", "resolve", ""]);
  });

  it("[A79] the next crossing is told six hours after the one before, if it lasts until then", () => {
    expect(warnings(90, 0, 90, 0, 90, 90, 90, 90)).toEqual(["fire", "resolve", "", "", "", "", "fire", ""]);
  });

  it("[A79] nothing new is told before what was told is confirmed", () => {
    let warning = warn(undefined, uses(90), 100, AT);
    warning = warn(warning, uses(10), 100, AT + 1);
    expect(warning?.waiting.map(({ kind }) => kind)).toEqual(["fire", "resolve"]);
    expect(warn(warning, uses(90), 100, AT + 24 * HOUR_MS)).toBe(warning);
    warning = confirm(confirm(warning!, "fire", null), "resolve", null);
    expect(warn(warning, uses(90), 100, AT + 24 * HOUR_MS)).toMatchObject({ firedAt: AT + 24 * HOUR_MS });
  });

  it("[A79] a warning that silences held back until it was over is only resolved", () => {
    const held = confirm(warn(undefined, uses(90), 100, AT)!, "fire", AT + HOUR_MS);
    expect(held.waiting).toEqual([{ kind: "fire", dueAt: AT + HOUR_MS, isHeld: true }]);
    const over = warn(held, uses(10), 100, AT + 1);
    expect(over?.waiting.map(({ kind }) => kind)).toEqual(["resolve"]);
    const sentBefore = warn(warn(undefined, uses(90), 100, AT), uses(10), 100, AT + 1)!;
    expect(confirm(sentBefore, "fire", AT + HOUR_MS).waiting).toEqual(over?.waiting);
  });

  it("[A78] a limit that is raised or taken away ends its warning", () => {
    const warning = warn(undefined, uses(8, true), 10, AT);
    expect(warn(warning, uses(8), 100, AT + 1)?.cleared).toEqual({ at: AT + 1, used: 8, most: 100 });
    expect(warn(warning, uses(0), null, AT + 1)?.cleared).toEqual({ at: AT + 1, used: 0, most: null });
    expect(warn(undefined, uses(8, true), null, AT)).toBeUndefined();
  });

  it("[A80] what is not confirmed is due again, under the key it had", () => {
    const warning = warn(undefined, uses(90), 100, AT)!;
    const again = sent(warning, AT, AT + 30_000);
    expect(again.waiting).toEqual([{ kind: "fire", dueAt: AT + 30_000, isHeld: false }]);
    expect(warningKey("devices", again, "fire")).toBe(warningKey("devices", warning, "fire"));
    expect(sent(again, AT + 1, AT + 60_000)).toEqual(again);
  });
});

describe("readings a second", () => {
  it("[F48] they are judged over whole minutes, and at the first refusal of one", () => {
    const rate = newUseRate(AT);
    expect(measure(rate, 600, false, AT + 59_999)).toBeUndefined();
    expect(measure(rate, 600, false, AT + 60_000)).toEqual({ used: 20, isRefused: false });
    expect(measure(rate, 300, true, AT + 61_000)).toEqual({ used: 30, isRefused: true });
    expect(measure(rate, 0, true, AT + 62_000)).toBeUndefined();
    expect(measure(rate, 0, false, AT + 120_000)).toEqual({ used: 5, isRefused: true });
    expect(measure(rate, 0, false, AT + 420_000)).toEqual({ used: 0, isRefused: false });
    expect(measure(rate, 5, true, AT)).toBeUndefined(); // the clock was set back: it counts anew
    expect(measure(rate, 120, false, AT + 60_000)).toEqual({ used: 2, isRefused: false });
  });
});

describe("what people read", () => {
  const messageAbout = (
    name: LimitName,
    [used, most]: [number, number],
    cleared?: [number, number | null],
  ) => {
    let warning = warn(undefined, uses(used), most, AT)!;
    if (cleared !== undefined) warning = warn(warning, uses(cleared[0]), cleared[1], AT + 60_000)!;
    const kind = cleared === undefined ? ("fire" as const) : ("resolve" as const);
    const snapshot = warningSnapshot("acme", name, warning);
    const notice = noticeOf({ key: warningKey(name, warning, kind), kind, snapshot });
    return messageOf(notice, "https://telltale.example", true);
  };

  it.each([
    ["devices", "WARNING · Limit of devices · acme uses 8 of 10 devices"],
    ["storageBytes", "WARNING · Limit of storage · acme uses 8 of 10 bytes of files"],
    ["readingsPerSecond", "WARNING · Limit of readings a second · acme uses 8 of 10 readings a second"],
    ["viewers", "WARNING · Limit of viewers · acme uses 8 of 10 streams open at once"],
  ] as const)("[A81] a warning about %s says what is used, what happens and what to do", (name, title) => {
    const message = messageAbout(name, [8, 10]);
    expect(message.title).toBe(title);
    expect(message.lines).toEqual([
      `tenant ${title.split(" · ")[2]} at 2026-11-22T10:00:00.000Z, and what is more than the limit is refused: use less, or raise it (PUT /v1/tenant, limits.${name})`,
    ]);
  });

  it("[A81] its end says why, and there are no links", () => {
    const over = messageAbout("devices", [8, 10], [7, 10]);
    expect(over.title).toBe("Resolved: WARNING · Limit of devices · acme uses 7 of 10 devices");
    expect(over.lines).toEqual([
      "tenant acme uses 7 of 10 devices at 2026-11-22T10:01:00.000Z: there is room again",
    ]);
    const free = messageAbout("devices", [8, 10], [0, null]);
    expect(free.lines[0]).toMatch(/: there is no limit any more$/);
    expect([over.incidentLink, over.chartLink(over.snapshot.alerts[0]!)]).toEqual([null, null]);
  });

  it("[A81] a delivery names the limit that its warning was about", () => {
    const warning = warn(undefined, uses(8), 10, AT)!;
    expect(warnedLimit(warningId("storageBytes", warning))).toBe("Limit of storage");
    expect(warnedLimit("north.7")).toBeUndefined();
    expect(warnedLimit(`north.1.${AT}`)).toBeUndefined();
  });

  it("[A78] PagerDuty, Opsgenie and Alertmanager know a warning and its end by one name", () => {
    const pair = [messageAbout("viewers", [8, 10]), messageAbout("viewers", [8, 10], [1, 10])];
    const name = `~limits.viewers-${AT}@acme`;
    const bodies = (target: Parameters<typeof requestOf>[1]) =>
      pair.map((message) => {
        const { url, body } = requestOf(message, target, AT + 60_000);
        return { url, body: JSON.parse(body) };
      });
    const pages = bodies({ type: "pagerduty", routingKey: "k", url: "https://p.example" });
    expect(pages.map(({ body }) => [body.event_action, body.dedup_key])).toEqual([
      ["trigger", name],
      ["resolve", name],
    ]);
    expect(pages[0]!.body).toMatchObject({ links: [], payload: { severity: "warning", source: "acme" } });
    const [made, closed] = bodies({ type: "opsgenie", apiKey: "k", url: "https://o.example" });
    expect(made!.body).toMatchObject({ alias: name, priority: "P3", details: { tenant: "acme" } });
    expect(closed!.url).toContain(encodeURIComponent(name));
    const [told, ended] = bodies({ type: "alertmanager", url: "https://a.example" });
    expect(told!.body[0].labels).toEqual(ended!.body[0].labels);
    expect(ended!.body[0].endsAt).toBe("2026-11-22T10:01:00.000Z");
  });
});
