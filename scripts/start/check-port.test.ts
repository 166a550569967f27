import { createServer } from "node:net";
import { expect, it } from "vitest";
import { checkPort, isStartAt } from "./check-port.ts";

it("[S27] a port that is free passes, and one in use is an error that says what to do", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await expect(checkPort(port)).rejects.toThrow(
    `port ${port} is in use by another program; end it, or choose another with --port N`,
  );
  await new Promise((resolve) => server.close(resolve));
  await checkPort(port);
  await checkPort(0);
});

it.each([
  ["node scripts/start.ts", 8787, true],
  ["node scripts/start.ts --no-demo --port 9000", 9000, true],
  ["node /x/scripts/start.ts --port=9000", 9000, true],
  ["node scripts/start.ts --port 9000", 8787, false],
  ["node server.js", 8787, false],
  ["sh -c node scripts/start.ts", 8787, false],
  ["/bin/sh -c node scripts/start.ts", 8787, false],
])("[S27] %s has port %i: %s", (command, port, has) => {
  expect(isStartAt(command, port)).toBe(has);
});
