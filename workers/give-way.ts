// Long work that is never at rest → others get their turn between its steps.

/**
 * Waits until everything else that is ready was served once; for long work between its steps. In a local run everything
 * lies in one process: D1 and R2 answer at once there, so that work which only waits for them leaves the runtime no moment
 * to look at its sockets, and an import of 400,000 rows kept `/healthz` waiting for 83 s. Costs nothing on Cloudflare.
 */
export const giveWay = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
