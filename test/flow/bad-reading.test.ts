// Bodies of which a part is wrong: the part is named by index and metric, and the good readings are kept.
import { expect, it } from "vitest";
import { type TelemetryAnswer, telemetryAnswer } from "../../schemas/reading.ts";
import {
  type BadReading,
  BEYOND_LIMITS,
  LONG,
  NO_NUMBERS,
  TOO_OLD,
  WRONG_SHAPES,
  WRONG_TIMES,
} from "./bad-readings.ts";
import { eachSharedTopology } from "./topology.ts";

const GOOD = { at: Date.now() - 1_000, metrics: { good: 1 } };

const sum = ({ stored, duplicate, corrected, late, quarantined, refused }: TelemetryAnswer) =>
  stored + duplicate + corrected + late + quarantined + refused;

eachSharedTopology((server) => {
  const tenant = () => server.tenant("acme");

  it.each(NO_NUMBERS)("[I11] [I8] %s: %s, and the good readings around it are kept", refused);
  it.each(WRONG_TIMES)("[I12] [I8] %s: %s, and the good readings around it are kept", refused);
  it.each(BEYOND_LIMITS)("[I13] [I8] %s: %s, and the good readings around it are kept", refused);
  it.each(WRONG_SHAPES)("[I10] [I8] %s: %s, and the good readings around it are kept", refused);
  it.each(TOO_OLD)("[D3] [I8] %s: %s, and the good readings around it are kept", refused);

  let devices = 0;
  async function refused(...[_what, code, text, says, metric, refused = 1]: BadReading): Promise<void> {
    const device = `pump-${++devices}`;
    const good = JSON.stringify(GOOD);
    const later = JSON.stringify({ ...GOOD, at: GOOD.at + 1 });
    const named = metric === undefined ? {} : { metric };
    for (const [body, contentType] of [
      [`[${good},${text},${later}]`, "application/json"],
      [`${good}\n${text}\n${later}\n`, "application/x-ndjson"],
    ] as const) {
      const { status, body: answered } = await tenant().post(body, device, { "content-type": contentType });
      const answer = telemetryAnswer.parse(answered);
      expect({ status, refused: answer.refused, sum: sum(answer) }).toEqual({
        status: 200,
        refused,
        sum: refused + 2,
      });
      expect(answer.problems).toEqual([expect.objectContaining({ index: 1, code, ...named })]);
      expect(answer.problems[0]!.message).toMatch(says);
    }
    expect(await tenant().readings(device, "good")).toEqual([
      [GOOD.at, 1],
      [GOOD.at + 1, 1],
    ]);
    expect(Object.keys((await tenant().latest(device)).metrics)).toEqual(["good"]);
  }

  it("[I8] [I11] bad and good metrics of one report: each has its own verdict", async () => {
    const body = `{"at":${GOOD.at},"metrics":{"a":1,"b":NaN,"c":"x","d":-0.5,"${LONG}":3,"__proto__":4}}`;
    const { status, body: answered } = await tenant().post(body, "mixed");
    const answer = telemetryAnswer.parse(answered);
    expect({ status, stored: answer.stored, refused: answer.refused }).toEqual({
      status: 200,
      stored: 2,
      refused: 4,
    });
    expect(answer.problems.map(({ index, metric, code }) => [index, metric?.slice(0, 9), code])).toEqual([
      [0, "b", "not_finite"],
      [0, "c", "not_a_number"],
      [0, "xxxxxxxxx", "invalid_metric_name"],
      [0, "__proto__", "invalid_metric_name"],
    ]);
    expect(Object.keys((await tenant().latest("mixed")).metrics)).toEqual(["a", "d"]);
  });

  it("[I10] an NDJSON line that is no JSON costs that line; empty lines have no index", async () => {
    const lines = [
      JSON.stringify(GOOD),
      "",
      '{"metrics":',
      JSON.stringify({ ...GOOD, at: GOOD.at + 1 }),
      "}",
    ];
    const { body } = await tenant().post(lines.join("\r\n"), "lines", {
      "content-type": "application/x-ndjson",
    });
    expect(body).toMatchObject({ stored: 2, refused: 2 });
    expect(telemetryAnswer.parse(body).problems.map(({ index, code }) => [index, code])).toEqual([
      [1, "malformed_json"],
      [3, "malformed_json"],
    ]);
  });

  it("[I8] of 5,000 bad readings the first hundred are listed and all are counted", async () => {
    const reports = Array.from({ length: 5_000 }, () => ({ metrics: { temp: "x" } }));
    const answer = await tenant().send([...reports, GOOD], "crowd");
    expect(answer).toMatchObject({ refused: 5_000, stored: 1 });
    expect(answer.problems.map(({ index }) => index)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it("[D16] a device's 1,001st metric of the hour is refused, its reports before and after are kept", async () => {
    const first = Object.fromEntries(Array.from({ length: 999 }, (_, i) => [`m${i}`, i]));
    expect(await tenant().send({ at: GOOD.at, metrics: first }, "wide")).toMatchObject({ stored: 999 });
    const second = { at: GOOD.at, metrics: { good: 1, "one too many": 2 } };
    const answer = await tenant().send([second, { at: GOOD.at + 1, metrics: { m0: 7 } }], "wide");
    expect(answer).toMatchObject({ stored: 2, refused: 1 });
    expect(answer.problems).toMatchObject([{ index: 0, metric: "one too many", code: "too_many_metrics" }]);
  });
});
