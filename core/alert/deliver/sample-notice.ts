// A channel to be tried out → a notice that looks like a real one and says that it is none.
import type { Notice } from "./message.ts";

/** Returns a notice to try a channel with, about a device that nobody has. `key` names the attempt. */
export function sampleNotice(tenant: string, key: string, nowMs: number): Notice {
  const rule = {
    id: "test",
    version: 1,
    name: "A message to try this channel",
    condition: { type: "threshold" as const, metric: "temperature", above: 30 },
    severity: "info" as const,
    groupWithinMs: 0,
    channels: null,
    escalation: [],
  };
  const reading = { at: nowMs, receivedAt: nowMs, value: 30.5 };
  const untouched = { acknowledgedAt: null, acknowledgedBy: null, resolvedAt: null };
  return {
    key,
    kind: "test",
    tenant,
    omitted: 0,
    snapshot: {
      incident: {
        ...untouched,
        id: key,
        revision: 1,
        state: "firing",
        zone: "test",
        rule,
        openedAt: nowMs,
        joinedAt: nowMs,
        members: 1,
        active: 1,
        muted: 0,
        escalated: 0,
      },
      alerts: [
        {
          ...untouched,
          id: "test.0.1.test-device",
          revision: 1,
          state: "firing",
          device: "test-device",
          zone: "test",
          model: null,
          gateway: null,
          rule,
          metric: "temperature",
          firedAt: nowMs,
          reading,
          flapping: false,
          assignee: null,
          resolution: null,
          clearedBy: null,
        },
      ],
    },
  };
}
