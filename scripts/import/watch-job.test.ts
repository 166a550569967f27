import { expect, it } from "vitest";
import type { JobAnswer } from "../../schemas/job.ts";
import { progressText } from "../command/progress.ts";
import { commandOf, progressOf } from "./watch-job.ts";

const jobOf = (status: JobAnswer["status"], progress: Partial<JobAnswer["progress"]>): JobAnswer => ({
  id: "j",
  kind: "import",
  status,
  spec: { zone: "z" },
  error: null,
  progress: { phase: "", done: 0, total: null, counts: {}, ...progress },
  createdAt: 0,
  updatedAt: 0,
  finishedAt: null,
});
const lineOf = (job: JobAnswer, stillMs = 0) => progressText(progressOf(job, stillMs));

it("[S29] a job that has not begun shows no share, one at work less than 100 %, and one that is done all", () => {
  expect(lineOf(jobOf("running", {}))).toBe("waiting for the server's next turn");
  expect(lineOf(jobOf("running", { phase: "days", total: 480 }))).toMatch(
    / 0 % {2}storing day by day {2}0 of 480$/,
  );
  const hours = { phase: "hours", done: 480, total: 480, counts: { stored: 480 } };
  expect(lineOf(jobOf("running", hours), 5_000)).toMatch(
    / 99 % {2}computing the hours.* {2}stored 480, waiting for the server's next turn$/,
  );
  expect(lineOf(jobOf("done", { ...hours, phase: "done" }))).toMatch(/ 100 % {2}done {2}480 of 480/);
});

it("[S29] the commands it names say where, but not with which token", () => {
  const here = { state: ".wrangler/state", tenant: "demo" };
  expect(commandOf("import", here)).toBe("npm run import --");
  expect(commandOf("import", { url: "https://t", state: "s", tenant: "acme", token: "secret" })).toBe(
    "npm run import -- --url https://t --state s --tenant acme --token TOKEN",
  );
});
