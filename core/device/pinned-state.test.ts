// PERSISTED: this row lies in device objects. When a test here fails, the code is wrong: a header that means something
// else gets a new version and a fixture of its own, and this one is decoded for ever.
import { describe, expect, it } from "vitest";
import { activeAlerts } from "../alert/state.ts";
import { DAY_MS, HOUR_MS } from "../time.ts";
import { MapRing } from "./fake-device.ts";
import { readHot } from "./hot.ts";
import { decodeState, encodeState } from "./state.ts";

const START_MS = Date.UTC(2026, 0, 5);

/** Written on 2026-11-30: a device with an open block, a sealed one unconfirmed, and an alert the zone was not told of. */
const PINNED = Buffer.from(
  [
    "lQsAAHsidmVyc2lvbiI6MSwidGVuYW50IjoiYWNtZSIsImRldmljZSI6InB1bXAtMSIsInByb2ZpbGUiOnsiem9uZSI6ImRlZmF1",
    "bHQiLCJuYW1lIjpudWxsLCJtb2RlbCI6bnVsbH0sInNldHRpbmdzIjp7InBsYW4iOiJwYWlkIiwiY29tbWl0RXZlcnlNcyI6MCwi",
    "bGF0ZW5lc3NIb3Jpem9uTXMiOjYwNDgwMDAwMCwicmV0ZW50aW9uIjp7InJhd0RheXMiOjcsImhvdXJseURheXMiOjMwLCJhcmNo",
    "aXZlRGF5cyI6bnVsbH0sInJ1bGVzVmVyc2lvbiI6MH0sInNldHRpbmdzQXQiOjAsIm5ld2VzdEF0IjoxNzY3NTc0ODAwMDAwLCJz",
    "ZWFsZWRUaHJvdWdoTXMiOjE3Njc1NzEyMDAwMDAsImJ1Y2tldE1zIjoyMTYwMDAwMCwibWVhc3VyZWQiOnsic3RhcnRNcyI6MTc2",
    "NzU2NzYwMDAwMCwiZmlyc3RBdCI6MTc2NzU3MTE5MDAwMCwicmVhZGluZ3MiOjJ9LCJldmljdGVkVGhyb3VnaE1zIjowLCJsYXN0",
    "UmVjZWl2ZWRBdCI6MTc2NzU3NDgwMDAwMSwiZmlyc3RSZWNlaXZlZEF0IjoxNzY3NTcxMjAwMDAwLCJjb3VudHMiOls0LDAsMCww",
    "LDAsMF0sImNsb2NrIjp7ImJlaGluZCI6MCwiYWhlYWQiOjB9LCJjb21taXRzIjozLCJleHBpcmVkIjowLCJvdXRib3giOlt7InN0",
    "YXJ0TXMiOjE3Njc1Njc2MDAwMDAsInNsb3QiOjAsInJldmlzaW9uIjoxLCJyZXNlbmRBdCI6MTc2NzU3NDg2MDAwMCwiYXR0ZW1w",
    "dHMiOjF9XSwidW5saXN0ZWRGcm9tTXMiOm51bGwsImFsYXJtQXQiOjE3Njc1NzQ4MzAwMDEsImdlbmVyYXRpb24iOjAsImNsb2Nr",
    "T2Zmc2V0TXMiOjAsInJlZ2lzdGVyZWQiOnRydWUsImpvaW5lZFpvbmUiOiJkZWZhdWx0Iiwid2F0Y2hlZFVudGlsIjowLCJhbGVy",
    "dHMiOnsicnVsZXNWZXJzaW9uIjozLCJydWxlcyI6W3sibmFtZSI6IlRvbyBob3QiLCJzY29wZSI6e30sImNvbmRpdGlvbiI6eyJ0",
    "eXBlIjoidGhyZXNob2xkIiwibWV0cmljIjoidGVtcGVyYXR1cmUiLCJhYm92ZSI6MjEsImNsZWFyIjoyMH0sImZvck1zIjowLCJj",
    "b3VudCI6MSwic2V2ZXJpdHkiOiJjcml0aWNhbCIsImNvb2xkb3duTXMiOjMwMDAwMCwiZ3JvdXBXaXRoaW5NcyI6NjAwMDAsImNo",
    "YW5uZWxzIjpudWxsLCJlc2NhbGF0aW9uIjpbXSwiZW5hYmxlZCI6dHJ1ZSwiaWQiOiJ0b28taG90IiwidmVyc2lvbiI6MywiY3Jl",
    "YXRlZEF0IjoxNzY3NTcxMjAwMDAwLCJ1cGRhdGVkQXQiOjE3Njc1NzEyMDAwMDAsInVwZGF0ZWRCeSI6ImFkbWluIn1dLCJtZW1v",
    "cnkiOnsidG9vLWhvdCI6eyJwaGFzZSI6eyJzdGF0ZSI6ImZpcmluZyIsImNhbG1TaW5jZSI6bnVsbH0sInNlZW4iOlsxNzY3NTc0",
    "ODAwMDAwXSwiY29uZGl0aW9uIjpudWxsLCJyZWNlaXZlZCI6bnVsbCwiYWxlcnQiOnsiaWQiOiJ0b28taG90LjAuMS5wdW1wLTEi",
    "LCJyZXZpc2lvbiI6MSwic3RhdGUiOiJmaXJpbmciLCJkZXZpY2UiOiJwdW1wLTEiLCJ6b25lIjoiZGVmYXVsdCIsIm1vZGVsIjpu",
    "dWxsLCJnYXRld2F5IjpudWxsLCJydWxlIjp7ImlkIjoidG9vLWhvdCIsInZlcnNpb24iOjMsIm5hbWUiOiJUb28gaG90IiwiY29u",
    "ZGl0aW9uIjp7InR5cGUiOiJ0aHJlc2hvbGQiLCJtZXRyaWMiOiJ0ZW1wZXJhdHVyZSIsImFib3ZlIjoyMSwiY2xlYXIiOjIwfSwi",
    "c2V2ZXJpdHkiOiJjcml0aWNhbCIsImdyb3VwV2l0aGluTXMiOjYwMDAwLCJjaGFubmVscyI6bnVsbCwiZXNjYWxhdGlvbiI6W119",
    "LCJtZXRyaWMiOiJ0ZW1wZXJhdHVyZSIsImZpcmVkQXQiOjE3Njc1NzQ4MDAwMDEsInJlYWRpbmciOnsiYXQiOjE3Njc1NzQ4MDAw",
    "MDAsInJlY2VpdmVkQXQiOjE3Njc1NzQ4MDAwMDEsInZhbHVlIjoyMn0sImZsYXBwaW5nIjpmYWxzZSwiYWNrbm93bGVkZ2VkQXQi",
    "Om51bGwsImFja25vd2xlZGdlZEJ5IjpudWxsLCJhc3NpZ25lZSI6bnVsbCwicmVzb2x2ZWRBdCI6bnVsbCwicmVzb2x1dGlvbiI6",
    "bnVsbCwiY2xlYXJlZEJ5IjpudWxsfSwiZW5kZWRBdCI6bnVsbCwiZmlyaW5ncyI6WzE3Njc1NzQ4MDAwMDFdfX0sIm91dGJveCI6",
    "W3sia2luZCI6ImZpcmVkIiwiYXQiOjE3Njc1NzQ4MDAwMDEsImJ5IjpudWxsLCJ0ZXh0IjpudWxsLCJhbGVydCI6eyJpZCI6InRv",
    "by1ob3QuMC4xLnB1bXAtMSIsInJldmlzaW9uIjoxLCJzdGF0ZSI6ImZpcmluZyIsImRldmljZSI6InB1bXAtMSIsInpvbmUiOiJk",
    "ZWZhdWx0IiwibW9kZWwiOm51bGwsImdhdGV3YXkiOm51bGwsInJ1bGUiOnsiaWQiOiJ0b28taG90IiwidmVyc2lvbiI6MywibmFt",
    "ZSI6IlRvbyBob3QiLCJjb25kaXRpb24iOnsidHlwZSI6InRocmVzaG9sZCIsIm1ldHJpYyI6InRlbXBlcmF0dXJlIiwiYWJvdmUi",
    "OjIxLCJjbGVhciI6MjB9LCJzZXZlcml0eSI6ImNyaXRpY2FsIiwiZ3JvdXBXaXRoaW5NcyI6NjAwMDAsImNoYW5uZWxzIjpudWxs",
    "LCJlc2NhbGF0aW9uIjpbXX0sIm1ldHJpYyI6InRlbXBlcmF0dXJlIiwiZmlyZWRBdCI6MTc2NzU3NDgwMDAwMSwicmVhZGluZyI6",
    "eyJhdCI6MTc2NzU3NDgwMDAwMCwicmVjZWl2ZWRBdCI6MTc2NzU3NDgwMDAwMSwidmFsdWUiOjIyfSwiZmxhcHBpbmciOmZhbHNl",
    "LCJhY2tub3dsZWRnZWRBdCI6bnVsbCwiYWNrbm93bGVkZ2VkQnkiOm51bGwsImFzc2lnbmVlIjpudWxsLCJyZXNvbHZlZEF0Ijpu",
    "dWxsLCJyZXNvbHV0aW9uIjpudWxsLCJjbGVhcmVkQnkiOm51bGx9fV0sImVwaXNvZGVzIjoxfSwidGVsbEF0IjoxNzY3NTc0ODMw",
    "MDAxLCJvcGVuIjpbeyJzdGFydE1zIjoxNzY3NTcxMjAwMDAwLCJlbmRNcyI6MTc2NzU5MjgwMDAwMCwiYnVja2V0TXMiOjIxNjAw",
    "MDAwLCJzbG90IjpudWxsLCJyZXZpc2lvbiI6MSwib3BlbmVkQXQiOjE3Njc1NzQ4MDAwMDEsImRpcnR5Ijp0cnVlLCJ0b3VjaGVk",
    "IjozLCJieXRlcyI6NTN9XSwibGF0ZXN0Ijp7InRlbXBlcmF0dXJlIjpbMTc2NzU3NDgwMDAwMCwyMiwxNzY3NTc0ODAwMDAxXSwi",
    "cHJlc3N1cmUiOlsxNzY3NTcxMTkwMDAwLDEwMTMuMjUsMTc2NzU3MTIwMDAwMF0sIsOcIjpbMTc2NzU3NDgwMDAwMCwtMC4xMjUs",
    "MTc2NzU3NDgwMDAwMV19LCJhbGFybVdhbGxBdCI6MTc2NzU3NDgzMDAwMX1UVEIBQnm4t0GAAACArqYKAgEBBIC6twMCC3RlbXBl",
    "cmF0dXJlAAAELALDnAADBPkBprcBQg==",
  ].join(""),
  "base64",
);

const row = () => new Uint8Array(PINNED);

/** The pinned row with another header, in bytes. */
function withHeader(change: (header: Record<string, unknown>) => void): Uint8Array {
  const headBytes = new DataView(row().buffer).getUint32(0, true);
  const header = JSON.parse(PINNED.subarray(4, 4 + headBytes).toString()) as Record<string, unknown>;
  change(header);
  const head = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return new Uint8Array(Buffer.concat([length, head, PINNED.subarray(4 + headBytes)]));
}

describe("the pinned state row", () => {
  it("[D33] decodes to the same device for ever", () => {
    const state = decodeState(row());
    expect(state).toMatchObject({
      version: 1,
      tenant: "acme",
      device: "pump-1",
      profile: { zone: "default", name: null, model: null },
      settings: { commitEveryMs: 0, latenessHorizonMs: 7 * DAY_MS },
      newestAt: START_MS + HOUR_MS,
      sealedThroughMs: START_MS,
      counts: [4, 0, 0, 0, 0, 0],
      commits: 3,
      registered: true,
      joinedZone: "default",
      generation: 0,
    });
    expect(state.outbox).toMatchObject([{ startMs: START_MS - HOUR_MS, slot: 0, revision: 1, attempts: 1 }]);
    expect([...state.latest]).toEqual([
      ["temperature", { at: START_MS + HOUR_MS, value: 22, receivedAt: START_MS + HOUR_MS + 1 }],
      ["pressure", { at: START_MS - 10_000, value: 1013.25, receivedAt: START_MS }],
      ["Ü", { at: START_MS + HOUR_MS, value: -0.125, receivedAt: START_MS + HOUR_MS + 1 }],
    ]);
    const held = readHot(state, new MapRing(), "Ü", START_MS, START_MS + DAY_MS, START_MS + HOUR_MS + 2);
    expect([[...held.at], [...held.value]]).toEqual([[START_MS + HOUR_MS], [-0.125]]);
    expect(activeAlerts(state.alerts)).toMatchObject([{ device: "pump-1", reading: { value: 22 } }]);
    expect(state.alerts.outbox.map(({ kind }) => kind)).toEqual(["fired"]);
  });

  it("[D33] is written back as it was read", () => {
    expect(decodeState(encodeState(decodeState(row())))).toEqual(decodeState(row()));
  });

  it("[D33] a row without what came to the header later has its defaults", () => {
    const first = withHeader((header) => {
      for (const later of [
        "unlistedFromMs",
        "clock",
        "generation",
        "measured",
        "expired",
        "alerts",
        "tellAt",
      ])
        delete header[later];
      delete header.bucketMs;
    });
    expect(decodeState(first)).toMatchObject({
      unlistedFromMs: null,
      clock: { behind: 0, ahead: 0 },
      generation: 0,
      bucketMs: HOUR_MS,
      measured: null,
      expired: 0,
      alerts: { rules: [], outbox: [] },
      tellAt: null,
    });
  });

  it.each([2, 0, undefined, "1"])(
    "[D33] a row of version %j is refused, for its blocks may mean something else",
    (version) => {
      const other = withHeader((header) => {
        Object.assign(header, { version });
      });
      expect(() => decodeState(other)).toThrow(/state row of version .*this code reads version 1/);
    },
  );
});
