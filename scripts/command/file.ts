// A file named on a command line → looked at before anything else is done, and named by every error about it.
import { open } from "node:fs/promises";

const REASONS: Record<string, string> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EACCES: "it may not be read by this user",
  EPERM: "it may not be read by this user",
  EISDIR: "it is a directory; name the files in it",
};

/** @throws an Error that names the file: it is missing, a directory, empty, or may not be read. */
export async function checkFile(path: string): Promise<void> {
  try {
    const file = await open(path);
    try {
      const found = await file.stat();
      if (found.isDirectory()) throw new Error(REASONS.EISDIR);
      if (found.isFile() && found.size === 0) throw new Error("it is empty");
    } finally {
      await file.close();
    }
  } catch (error) {
    throw aboutFile(path, error);
  }
}

/** The error with the file's name before it, unless it begins with that. */
export function aboutFile(path: string, error: unknown): Error {
  const { code, message } = error as Error & { code?: string };
  if (message.startsWith(path)) return error as Error;
  const reason = (code === undefined ? undefined : REASONS[code]) ?? message;
  return new Error(`${path}: ${reason}`, { cause: error });
}
