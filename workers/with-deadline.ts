// A call that may never be answered → an answer or an error, in bounded time.

/**
 * Returns what `call` resolves to, if that comes within `limitMs`. What the call does after that goes unheard, so
 * this is only for calls that are safe to make twice.
 * @throws Error that names `who` did not answer in time; what the call itself threw.
 */
export async function withDeadline<T>(limitMs: number, who: string, call: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${who} did not answer in ${limitMs / 1_000} s`)), limitMs);
  });
  try {
    return await Promise.race([call, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
