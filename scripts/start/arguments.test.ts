import { expect, it } from "vitest";
import { parseArguments, UsageError } from "./arguments.ts";

it("[S27] a command line says what to start, and what it does not say has its default", () => {
  expect(parseArguments([])).toEqual({
    port: 8787,
    state: ".wrangler/state",
    replace: false,
    demo: true,
    split: false,
    help: false,
  });
  expect(parseArguments(["--port", "0", "--state=x", "--no-demo", "--split", "--replace"])).toMatchObject({
    port: 0,
    state: "x",
    demo: false,
    split: true,
    replace: true,
  });
});

it.each([
  [["--prot", "1"], "--prot"],
  [["8080"], "8080"],
  [["--port", "abc"], "--port abc: a number from 0 to 65535"],
  [["--port", "65536"], "65536"],
  [["--port", ""], "--port"],
  [["--port=-1"], "--port -1"],
  [["--port"], "--port"],
  [["--state", ""], "--state"],
  [["--split=yes"], "--split"],
])("[S27] %j is refused by name", (args, named) => {
  expect(() => parseArguments(args)).toThrow(UsageError);
  expect(() => parseArguments(args)).toThrow(named);
});
