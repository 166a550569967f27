import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { noteRunning, readRunning } from "../running.ts";
import { holdState } from "./hold-state.ts";

it("[S26] a second start is refused with pid, address, folder and remedy; at a terminal it asks, and no is no", async () => {
  const state = await mkdtemp(join(tmpdir(), "telltale-hold-"));
  await noteRunning(state, "http://127.0.0.1:1");
  const asked: string[] = [];
  const ask = async (question: string) => {
    asked.push(question);
    return "n";
  };
  const hold = (given?: typeof ask) => holdState({ state, replace: false, log: () => {}, ask: given });
  const named = new RegExp(`runs on ${state} already: pid ${process.pid}, http://127.0.0.1:1, since \\d{4}-`);
  await expect(hold()).rejects.toThrow(named);
  await expect(hold()).rejects.toThrow(/--state DIR.*--replace/);
  await expect(hold(ask)).rejects.toThrow("it goes on");
  expect(asked).toEqual([expect.stringMatching(named)]);
  expect((await readRunning(state))?.pids[0]).toBe(process.pid);
  await rm(state, { recursive: true });
});
