// A call that may never be answered → an answer or an error, in bounded time.

/**
 * What `call` gives, if it comes within `limitMs`. What the call does after that goes unheard: only for what is safe to
 * do twice.
 * @throws Error that names who did not answer.
 */
export async function within<T>(limitMs: number, who: string, call: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${who} did not answer in ${limitMs / 1_000} s`)), limitMs);
  });
  try {
    return await Promise.race([call, silence]);
  } finally {
    clearTimeout(timer);
  }
}
