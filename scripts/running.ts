// Notes which processes run on a state folder and where they answer, so that a second start and every command find the first.
import { access, constants, mkdir, readFile, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { childrenOf, commandOf, isSameSince } from "./processes.ts";

/** Who runs on a state folder: the process that started it first, then its children (workerd). */
export interface Running {
  pids: number[];
  /** Its origin; empty while it is starting. */
  url: string;
  /** Epoch ms. */
  startedAt: number;
  /** When the pids were noted, epoch ms: each process began before. The runtime begins seconds after `startedAt`. */
  notedAt: number;
}

const noteIn = (state: string) => join(state, "telltale-running.json");

/** What runs on `state`; undefined when nothing does, also when what did was killed. */
export async function readRunning(state: string): Promise<Running | undefined> {
  const note = await readNote(state);
  return note !== undefined && isOwned(note) ? note : undefined;
}

/** Where what runs on `state` answers; undefined when nothing does, or does not yet. */
export const runningUrl = async (state: string): Promise<string | undefined> =>
  (await readRunning(state))?.url || undefined;

/** Notes this process and its children as the ones that run on `state` and answer at `url`. */
export async function noteRunning(state: string, url: string): Promise<void> {
  await mkdir(state, { recursive: true });
  const pids = [process.pid, ...childrenOf(process.pid)];
  const known = await readNote(state);
  const startedAt = known?.pids[0] === process.pid ? known.startedAt : Date.now();
  const written = ownFile(state);
  await writeFile(written, textOf({ pids, url, startedAt, notedAt: Date.now() }));
  await rename(written, noteIn(state)); // whoever reads meanwhile reads all of it
}

/** Takes the note away, if it is this process's. */
export async function forgetRunning(state: string): Promise<void> {
  if ((await readNote(state))?.pids[0] === process.pid) await rm(noteIn(state), { force: true });
}

/**
 * Takes `state` for this process alone, also when two start at the same instant. What a run left that was killed is ended
 * first. Gives the pids ended; or what runs there already, and then the state is not taken.
 * @throws Error that names the folder and why it cannot be written.
 */
export async function claimState(state: string): Promise<{ ended: number[] } | { inUse: Running }> {
  await checkFolder(state);
  return await alone(state, async () => {
    const text = await readText(state);
    const note = parse(text) ?? parse(text && (await sleep(UNWRITTEN_MS).then(() => readText(state))));
    if (note !== undefined && isOwned(note)) return { inUse: note };
    const ended = note === undefined ? [] : await end(note);
    await noteRunning(state, "");
    return { ended };
  });
}

/** Longer than it takes to end a run: who claims for so long was killed at it. */
const CLAIMING_MS_MAX = 15_000;

/** Acts while nobody else does on this state; they wait. @throws Error: the folder cannot be written. */
async function alone<T>(state: string, act: () => Promise<T>): Promise<T> {
  const claim = join(state, "telltale-claiming");
  const isMine = () =>
    mkdir(claim).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === "EEXIST") return false;
        throw new Error(unwritable(state, error));
      },
    );
  for (let since = Date.now(); !(await isMine()); await sleep(20)) {
    if (Date.now() - since < CLAIMING_MS_MAX) continue;
    await rmdir(claim).catch(() => undefined); // somebody else did
    since = Date.now();
  }
  try {
    return await act();
  } finally {
    await rmdir(claim).catch(() => undefined);
  }
}

/** Ends what runs: asked first, killed after 5 s. A pid that another program has by now is left alone. Gives the pids ended. */
export async function end({ pids, notedAt }: Running): Promise<number[]> {
  const lives = (pid: number) => pid !== process.pid && isSameSince(pid, notedAt);
  const ours = pids.filter((pid) => lives(pid) && /workerd|scripts\/start\.ts/.test(commandOf(pid)));
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    for (const pid of ours) if (lives(pid)) process.kill(pid, signal);
    for (let waited = 0; waited < 5_000 && ours.some(lives); waited += 50) await sleep(50);
  }
  return ours;
}

/** A note is written at once; one that cannot be read after this its writer was killed at. */
const UNWRITTEN_MS = 200;

async function checkFolder(state: string): Promise<void> {
  try {
    await mkdir(state, { recursive: true });
    if (!(await stat(state)).isDirectory()) throw Object.assign(new Error(), { code: "EEXIST" });
    await access(state, constants.W_OK | constants.X_OK);
    await access(join(state, "v3"), constants.W_OK | constants.X_OK).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error; // the first start makes it
    });
  } catch (error) {
    throw new Error(unwritable(state, error as NodeJS.ErrnoException));
  }
}

const REASONS: Record<string, string> = {
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  EROFS: "it is on a read-only file system",
  EEXIST: "it is a file",
  ENOTDIR: "a part of the path is a file",
  ENOSPC: "the disk is full",
};

const unwritable = (state: string, { code, message }: NodeJS.ErrnoException) =>
  `the state folder ${state} cannot be written: ${REASONS[code ?? ""] ?? message}; choose another with --state DIR`;

const ownFile = (state: string) => `${noteIn(state)}.${process.pid}`;

const textOf = (running: Running) => JSON.stringify(running);

const readText = (state: string) => readFile(noteIn(state), "utf8").catch(() => undefined);

const readNote = async (state: string) => parse(await readText(state));

function parse(text: string | undefined): Running | undefined {
  try {
    const { pids, url = "", startedAt = 0, notedAt = startedAt } = JSON.parse(text ?? "") as Running;
    return { pids, url, startedAt, notedAt };
  } catch {
    return undefined;
  }
}

const isOwned = ({ pids, notedAt }: Running) => isSameSince(pids[0]!, notedAt);
