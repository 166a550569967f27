// What a command line does → an exit code, and its errors as sentences: usage below those that are about how it was called.

/** The command was called in a way it does not know. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** So soon a second SIGINT is still the first Ctrl-C: npm passes on what the terminal sent to both. */
const SAME_INTERRUPT_MS = 500;

/**
 * Runs a command and ends the process with its exit code. `UsageError` and what `parseArgs` throws print the usage and
 * end with 2, any other error its message and 1.
 */
export function runCommand(usage: string, main: () => Promise<number>): void {
  main().then(
    (code) => process.exit(code),
    (error: Error & { code?: string }) => {
      const isUsage = error instanceof UsageError || error.code?.startsWith("ERR_PARSE_ARGS") === true;
      // One of the language's own errors is a fault of this program: where it was is what helps.
      const isFault = /^(Type|Range|Reference|Syntax)Error$/.test(error.name) && !isUsage;
      console.error(isUsage ? `${error.message}\n\n${usage}` : isFault ? error.stack : error.message);
      process.exit(isUsage ? 2 : 1);
    },
  );
}

/** The first interrupt aborts the signal, the second ends the process with 130. */
export function interruptSignal(): AbortSignal {
  const interrupted = new AbortController();
  let firstAt: number | undefined;
  process.on("SIGINT", () => {
    if (firstAt !== undefined && performance.now() - firstAt > SAME_INTERRUPT_MS) process.exit(130);
    firstAt ??= performance.now();
    interrupted.abort();
  });
  return interrupted.signal;
}
