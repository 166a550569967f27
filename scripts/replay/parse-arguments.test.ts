import { describe, expect, it } from "vitest";
import { UsageError } from "../command/run-command.ts";
import { parseArguments } from "./parse-arguments.ts";

describe("parseArguments", () => {
  it("needs nothing but the file", () => {
    expect(parseArguments(["air.tgz"])).toMatchObject({
      file: "air.tgz",
      server: { url: undefined, state: ".wrangler/state", json: false },
      tenant: "demo",
      json: false,
      options: {
        door: "http",
        speed: Infinity,
        clock: "recording",
        seal: true,
      },
    });
  });

  it.each([
    ["2013-03", Date.UTC(2013, 2)],
    ["2013-03-01", Date.UTC(2013, 2, 1)],
    ["2013-03-01T06:00Z", Date.UTC(2013, 2, 1, 6)],
    ["2013-03-01T06:00", Date.UTC(2013, 2, 1, 6)],
    ["2013-03-01T06:00:00+08:00", Date.UTC(2013, 1, 28, 22)],
  ])("--from %s is that instant, in UTC unless it says otherwise", (text, fromMs) => {
    expect(parseArguments(["x", "--from", text])!.selection.fromMs).toBe(fromMs);
  });

  it("reads every option", () => {
    const argv =
      "x --url https://t.example.com/ --state there --tenant acme --door socket --speed 60 --clock shift --batch 50 --concurrency 2 " +
      "--commit-every 10000 --window 9 --retry-for 1.5 --no-seal --devices a,b --limit 7 --json --from 2013-03 --to 2013-04";
    expect(parseArguments(argv.split(" "))).toEqual({
      file: "x",
      server: { url: "https://t.example.com", state: "there", json: true },
      tenant: "acme",
      token: undefined,
      adminToken: undefined,
      json: true,
      selection: { fromMs: Date.UTC(2013, 2), toMs: Date.UTC(2013, 3), devices: ["a", "b"], limit: 7 },
      options: {
        door: "socket",
        speed: 60,
        clock: "shift",
        batchReports: 50,
        concurrency: 2,
        commitEveryMs: 10_000,
        windowReports: 9,
        retryForMs: 1500,
        seal: false,
      },
    });
  });

  it.each([
    ["", /name the recording/],
    ["a b", /one recording at a time; got also b/],
    ["x --speed 0", /--speed 0: a number above 0/],
    ["x --speed fast", /--speed fast/],
    ["x --clock tomorrow", /--clock tomorrow: one of recording, shift, now/],
    ["x --door mqtt", /--door mqtt: one of http, socket/],
    ["x --batch 0", /--batch 0: a whole number from 1/],
    ["x --limit 1.5", /--limit 1.5/],
    ["x --from yesterday", /--from yesterday: like 2013-03/],
    ["x --from 2013-04 --to 2013-03", /--from must be before --to/],
    ["x --url 8787", /--url 8787: like http/],
    ["x --sped 3", /sped/],
    ["x --door socket --token t", /name it by --devices/],
  ])("refuses `%s` and says what would be right", (line, message) => {
    const parse = () => parseArguments(line.split(" ").filter((word) => word !== ""));
    expect(parse).toThrow(UsageError);
    expect(parse).toThrow(message);
  });

  it("--help asks for no file", () => {
    expect(parseArguments(["--help"])).toBeUndefined();
  });
});
