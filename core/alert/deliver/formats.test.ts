// Each format against what its receiver documents, written out by hand.
import { describe, expect, it } from "vitest";
import type { Target } from "../../../schemas/channel.ts";
import { oddCharacter } from "../../../schemas/one-line.ts";
import { AT, alertOf, noticeOf, resolvedOf, snapshotOf } from "./fake-notice.ts";
import { messageOf, type Notice } from "./message.ts";
import { requestOf } from "./request.ts";
import { sampleNotice } from "./sample-notice.ts";

const PUBLIC = "https://telltale.example.com";
const ALERT = `${PUBLIC}/#/alerts/north.7`;
const CHART = `${PUBLIC}/#/devices/pump-1?metric=temperature`;
const LINE = "pump-1: temperature is 91.25, read 2026-11-22T10:00:00.000Z, received 2026-11-22T10:00:01.000Z";
const OVER =
  "pump-1: cleared at 2026-11-22T10:01:01.500Z, temperature is 85, read 2026-11-22T10:01:00.000Z, received 2026-11-22T10:01:01.000Z";
const TITLE = "CRITICAL · Too hot · pump-1 in north";

const sent = (target: Target, change: Partial<Notice> = {}, publicUrl = PUBLIC, isFirst = true) => {
  const { body, ...request } = requestOf(messageOf(noticeOf(change), publicUrl, isFirst), target, AT);
  return { ...request, body: JSON.parse(body) };
};
const RESOLVE = { kind: "resolve" as const, key: "north.7.resolve.2", snapshot: snapshotOf([resolvedOf()]) };
const JSON_TYPE = { "content-type": "application/json" };

describe("formats", () => {
  it("[A36] webhook: our own, with every member in full", () => {
    const snapshot = snapshotOf([alertOf(), resolvedOf({ device: "pump-2" })]);
    expect(sent({ type: "webhook", url: "https://a.example/x" }, { snapshot, omitted: 3 })).toEqual({
      url: "https://a.example/x",
      method: "POST",
      headers: { ...JSON_TYPE, "idempotency-key": "north.7.fire.1" },
      body: {
        version: 1,
        key: "north.7.fire.1",
        kind: "fire",
        tenant: "acme",
        title: "CRITICAL · Too hot · 1 of 2 devices in north",
        incident: snapshot.incident,
        alerts: [
          { ...snapshot.alerts[0], links: { chart: CHART } },
          { ...snapshot.alerts[1], links: { chart: CHART.replace("pump-1", "pump-2") } },
        ],
        omitted: 3,
        links: { incident: ALERT },
      },
    });
  });

  it("[A36] Slack: text and an attachment", () => {
    const slack: Target = { type: "slack", url: "https://hooks.slack.com/services/T/B/x" };
    expect(sent(slack)).toEqual({
      url: "https://hooks.slack.com/services/T/B/x",
      method: "POST",
      headers: JSON_TYPE,
      body: {
        text: `*${TITLE}*`,
        attachments: [
          {
            color: "#a30200",
            fallback: TITLE,
            text: `${LINE}\n<${ALERT}|Open the alert> · <${CHART}|Chart>`,
            mrkdwn_in: ["text"],
          },
        ],
      },
    });
    expect(sent(slack, RESOLVE, "").body.attachments[0]).toMatchObject({ color: "#2eb886", text: OVER });
  });

  it("[A36] Slack: no name mentions everybody", () => {
    const snapshot = snapshotOf([alertOf({ rule: { name: "<!channel> & co" }, metric: "<@U1>" })]);
    const { body } = sent({ type: "slack", url: "https://hooks.slack.com/x" }, { snapshot });
    expect(body.text).toBe("*CRITICAL · &lt;!channel&gt; &amp; co · pump-1 in north*");
    expect(body.attachments[0].text).toContain("pump-1: &lt;@U1&gt; is 91.25");
  });

  const pagerduty: Target = {
    type: "pagerduty",
    url: "https://events.pagerduty.com/v2/enqueue",
    routingKey: "R0123456789012345678901234567890",
  };

  it("[A36] PagerDuty: trigger", () => {
    expect(sent(pagerduty)).toEqual({
      url: "https://events.pagerduty.com/v2/enqueue",
      method: "POST",
      headers: JSON_TYPE,
      body: {
        routing_key: "R0123456789012345678901234567890",
        event_action: "trigger",
        dedup_key: "north.7@acme",
        payload: {
          summary: TITLE,
          source: "pump-1",
          severity: "critical",
          timestamp: "2026-11-22T10:00:01.500Z",
          component: "too-hot",
          group: "north",
          class: "threshold",
          custom_details: {
            tenant: "acme",
            incident: "north.7",
            members: 1,
            active: 1,
            alerts: [LINE],
            devices: ["pump-1"],
          },
        },
        client: "Telltale",
        client_url: ALERT,
        links: [
          { href: ALERT, text: "Alert" },
          { href: CHART, text: "Chart" },
        ],
      },
    });
  });

  it("[A36] PagerDuty: the same key resolves; what joins an acknowledged incident does not page again", () => {
    const action = (change: Partial<Notice>, isFirst: boolean) =>
      sent(pagerduty, change, PUBLIC, isFirst).body;
    expect(action(RESOLVE, false)).toMatchObject({ event_action: "resolve", dedup_key: "north.7@acme" });
    const acknowledged = {
      kind: "update" as const,
      snapshot: snapshotOf([alertOf()], { state: "acknowledged" }),
    };
    expect(action(acknowledged, false)).toMatchObject({
      event_action: "acknowledge",
      dedup_key: "north.7@acme",
    });
    // Nobody there has heard of it yet.
    expect(action(acknowledged, true)).toMatchObject({ event_action: "trigger" });
    expect(action({ kind: "update" }, false)).toMatchObject({ event_action: "trigger" });
    expect(action({ kind: "escalate" }, false)).toMatchObject({ event_action: "trigger" });
    expect(sent(pagerduty, {}, "").body).toMatchObject({ links: [] });
    expect(sent(pagerduty, {}, "").body).not.toHaveProperty("client_url");
  });

  it("[A36] PagerDuty: a thousand names and a long title stay within its limits", () => {
    const alerts = Array.from({ length: 3_000 }, (_, i) => alertOf({ device: `d${i}`.padEnd(128, "x") }));
    const { body } = sent(pagerduty, { snapshot: snapshotOf(alerts) });
    expect(JSON.stringify(body).length).toBeLessThan(512_000);
    expect(body.payload.custom_details).toMatchObject({ members: 3_000, active: 3_000 });
  });

  const opsgenie: Target = { type: "opsgenie", url: "https://api.opsgenie.com/v2/alerts", apiKey: "k" };

  it("[A36] Opsgenie: create", () => {
    expect(sent(opsgenie)).toEqual({
      url: "https://api.opsgenie.com/v2/alerts",
      method: "POST",
      headers: { ...JSON_TYPE, authorization: "GenieKey k" },
      body: {
        message: TITLE,
        alias: "north.7@acme",
        description: `${TITLE}\n${LINE}\n${ALERT}\n${CHART}`,
        tags: ["critical", "too-hot", "north"],
        details: {
          tenant: "acme",
          zone: "north",
          rule: "Too hot",
          members: "1",
          active: "1",
          alert: ALERT,
          chart: CHART,
        },
        entity: "pump-1",
        source: "Telltale",
        priority: "P1",
      },
    });
  });

  it("[A36] Opsgenie: close, by alias", () => {
    expect(sent(opsgenie, RESOLVE)).toEqual({
      url: "https://api.opsgenie.com/v2/alerts/north.7%40acme/close?identifierType=alias",
      method: "POST",
      headers: { ...JSON_TYPE, authorization: "GenieKey k" },
      body: { source: "Telltale", note: `Resolved: ${TITLE}\n${OVER}` },
    });
  });

  it("[A36] Opsgenie: its limits", () => {
    const rule = { name: "n".repeat(100) };
    const alerts = Array.from({ length: 500 }, (_, i) => alertOf({ device: `d${i}`.padEnd(128, "x"), rule }));
    const { body } = sent(opsgenie, { snapshot: snapshotOf(alerts, { zone: "z".repeat(128) }) });
    expect(body.message.length).toBeLessThanOrEqual(130);
    expect(body.description.length).toBeLessThanOrEqual(15_000);
    expect(Math.max(...body.tags.map((tag: string) => tag.length))).toBeLessThanOrEqual(50);
  });

  it("[A36] Teams: an Adaptive Card in a message", () => {
    const teams: Target = { type: "teams", url: "https://example.logic.azure.com/workflows/x" };
    expect(sent(teams)).toEqual({
      url: "https://example.logic.azure.com/workflows/x",
      method: "POST",
      headers: JSON_TYPE,
      body: {
        type: "message",
        attachments: [
          {
            contentType: "application/vnd.microsoft.card.adaptive",
            contentUrl: null,
            content: {
              $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
              type: "AdaptiveCard",
              version: "1.4",
              body: [
                {
                  type: "TextBlock",
                  text: TITLE,
                  weight: "Bolder",
                  size: "Medium",
                  wrap: true,
                  color: "Attention",
                },
                { type: "TextBlock", text: LINE, wrap: true, spacing: "Small" },
              ],
              actions: [
                { type: "Action.OpenUrl", title: "Open the alert", url: ALERT },
                { type: "Action.OpenUrl", title: "Chart", url: CHART },
              ],
            },
          },
        ],
      },
    });
    const { content } = sent(teams, RESOLVE, "").body.attachments[0];
    expect([content.body[0].color, content.actions]).toEqual(["Good", []]);
    const snapshot = snapshotOf([alertOf({ rule: { name: "a_b_c [x](http://y) *z*" } })]);
    expect(sent(teams, { snapshot }).body.attachments[0].content.body[0].text).toBe(
      "CRITICAL · a\\_b\\_c \\[x\\](http://y) \\*z\\* · pump-1 in north",
    );
  });

  it("[A36] e-mail: what docs/webhooks.md says of a provider", () => {
    const email: Target = {
      type: "email",
      url: "https://mail.example/send",
      token: "t",
      from: "alerts@example.com",
      to: ["ops@example.com", "ann@example.com"],
    };
    expect(sent(email)).toEqual({
      url: "https://mail.example/send",
      method: "POST",
      headers: { ...JSON_TYPE, "idempotency-key": "north.7.fire.1", authorization: "Bearer t" },
      body: {
        from: "alerts@example.com",
        to: ["ops@example.com", "ann@example.com"],
        subject: TITLE,
        text: `${TITLE}\n\n${LINE}\n\nAlert: ${ALERT}\nChart: ${CHART}\n`,
      },
    });
    const { token: _none, ...open } = email;
    expect(sent(open).headers).not.toHaveProperty("authorization");
    expect(sent(open, {}, "").body.text).toBe(`${TITLE}\n\n${LINE}\n`);
  });

  it("[A36] Alertmanager: every member an alert, active ones with an end five minutes ahead, the others with theirs", () => {
    const alertmanager: Target = { type: "alertmanager", url: "https://am.example/base/", token: "t" };
    const snapshot = snapshotOf([alertOf(), resolvedOf({ device: "pump-2", reading: null })]);
    const labels = {
      alertname: "Too hot",
      device: "pump-1",
      zone: "north",
      severity: "critical",
      rule: "too-hot",
      tenant: "acme",
      incident: "north.7",
    };
    const summary = "CRITICAL · Too hot · 1 of 2 devices in north";
    const chart = CHART.replace("pump-1", "pump-2");
    expect(sent(alertmanager, { snapshot })).toEqual({
      url: "https://am.example/base/api/v2/alerts",
      method: "POST",
      headers: { ...JSON_TYPE, authorization: "Bearer t" },
      body: [
        {
          labels,
          annotations: {
            summary,
            value: "91.25",
            read_at: "2026-11-22T10:00:00.000Z",
            received_at: "2026-11-22T10:00:01.000Z",
            alert: ALERT,
            chart: CHART,
          },
          startsAt: "2026-11-22T10:00:01.500Z",
          endsAt: "2026-11-22T10:05:01.500Z",
          generatorURL: CHART,
        },
        {
          labels: { ...labels, device: "pump-2" },
          annotations: { summary, alert: ALERT, chart },
          startsAt: "2026-11-22T10:00:01.500Z",
          endsAt: "2026-11-22T10:01:01.500Z",
          generatorURL: chart,
        },
      ],
    });
  });

  it("[A36] Alertmanager: no end lies before its start, and no address is given where there is none", () => {
    const alertmanager: Target = { type: "alertmanager", url: "https://am.example" };
    const snapshot = snapshotOf([resolvedOf({ firedAt: AT + 10, resolvedAt: AT })]);
    const [own] = sent(alertmanager, { kind: "resolve", snapshot }, "").body;
    expect(own.endsAt).toBe(own.startsAt);
    expect(own).not.toHaveProperty("generatorURL");
    expect(own.annotations).not.toHaveProperty("alert");
  });

  it.each<[string, Target]>([
    ["webhook", { type: "webhook", url: "https://a.example" }],
    ["slack", { type: "slack", url: "https://a.example" }],
    ["pagerduty", pagerduty],
    ["opsgenie", opsgenie],
    ["teams", { type: "teams", url: "https://a.example" }],
    ["email", { type: "email", url: "https://a.example", from: "a@a.example", to: ["b@b.example"] }],
    ["alertmanager", { type: "alertmanager", url: "https://a.example" }],
  ])(
    "[A58] %s: what is made of names stored earlier is one line, and no longer than it may be",
    (type, target) => {
      const odd = "Too\r\nBcc: all@example.com\u2028hot\u0085\u0000 \u202egnp\u2066 \ud800";
      const long = { rule: { name: `${odd}${"x".repeat(5_000)}` }, metric: `t\n\u009b${"y".repeat(500)}` };
      const alerts = [alertOf(long), resolvedOf(long)];
      const { body, headers } = sent(target, { snapshot: snapshotOf(alerts), kind: "update" });
      const made: unknown[] = {
        webhook: () => [body.title],
        slack: () => [body.text, body.attachments[0].fallback],
        pagerduty: () => [body.payload.summary, ...body.payload.custom_details.alerts],
        opsgenie: () => [body.message],
        teams: () => body.attachments[0].content.body.map(({ text }: { text: string }) => text),
        email: () => [body.subject],
        alertmanager: () => [body[0].labels.alertname, body[0].annotations.summary],
      }[type]!();
      for (const text of made) {
        expect(oddCharacter(text as string)).toBeUndefined();
        if (!(text as string).startsWith("pump-1"))
          expect(text).toContain("Too Bcc: all@example.com hot gnp \ufffd");
      }
      const most = { pagerduty: 1_024, opsgenie: 130, email: 200 }[type] ?? 620;
      if (type !== "alertmanager")
        expect(Math.max(...made.map((text) => (text as string).length))).toBeLessThanOrEqual(most);
      for (const value of Object.values(headers)) expect(oddCharacter(value)).toBeUndefined();
    },
  );

  it("[A36] every receiver can be tried out, and is told that it is a trial", () => {
    const sample = sampleNotice("acme", "test.1", AT);
    const targets: Target[] = [
      { type: "webhook", url: "https://a.example" },
      { type: "slack", url: "https://a.example" },
      pagerduty,
      opsgenie,
      { type: "teams", url: "https://a.example" },
      { type: "email", url: "https://a.example", from: "a@a.example", to: ["b@b.example"] },
      { type: "alertmanager", url: "https://a.example" },
    ];
    for (const target of targets) {
      expect(requestOf(messageOf(sample, PUBLIC, true), target, AT).body).toContain(
        "Test: INFO · A message to try",
      );
    }
  });
});
