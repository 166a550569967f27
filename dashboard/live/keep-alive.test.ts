import { expect, it } from "vitest";
import { keepAlive, PING_EVERY_MS } from "./keep-alive.ts";

it("[L19] a page's socket says ping as it opens and at each interval, until it is closed", () => {
  const said: string[] = [];
  const listeners = new Map<string, () => void>();
  const running = new Set<() => void>();
  const socket = {
    send: (text: string) => void said.push(text),
    addEventListener: (type: string, listener: () => void) => void listeners.set(type, listener),
  };
  keepAlive(socket, (run) => {
    running.add(run);
    return () => running.delete(run);
  });
  expect(said).toEqual([]);
  listeners.get("open")!();
  expect(said).toEqual(["ping"]);
  for (const run of running) run();
  expect(said).toEqual(["ping", "ping"]);
  listeners.get("close")!();
  expect(running.size).toBe(0);
  expect(PING_EVERY_MS).toBeLessThanOrEqual(30_000);
});
