// A port → free, or who has it and what to do about it.
import { createServer } from "node:net";
import { allPids, commandOf } from "../processes.ts";

/** @throws Error that names who has the port, if somebody has. 0 is always free. */
export async function checkPort(port: number): Promise<void> {
  const refused = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const server = createServer();
    server.once("error", resolve);
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(undefined)));
  });
  if (refused !== undefined) throw new Error(textOf(port, refused));
}

function textOf(port: number, { code, message }: NodeJS.ErrnoException): string {
  if (code === "EACCES") return `port ${port} is not for everybody: choose one above 1023 with --port N`;
  if (code !== "EADDRINUSE") return `port ${port} cannot be opened: ${message}`;
  const pid = allPids().find((other) => other !== process.pid && isStartAt(commandOf(other), port));
  const who =
    pid === undefined ? "another program" : `another Telltale (pid ${pid}: ${commandOf(pid).trim()})`;
  return `port ${port} is in use by ${who}; end it, or choose another with --port N`;
}

/** Whether a command line is an `npm start` on the port. */
export function isStartAt(command: string, port: number): boolean {
  if (!command.includes("scripts/start.ts")) return false;
  if (/^(\S*\/)?(sh|bash) /.test(command)) return false; // npm's shell: to end that leaves the server
  return Number(/--port[ =](\d+)/.exec(command)?.[1] ?? 8787) === port;
}
