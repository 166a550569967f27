// How many bytes of files a tenant has in the archive.
import { type WarmEnv, warmsOf } from "./warm.ts";

/** Returns the bytes of a tenant's files. Reads a row of D1 for each of them. @throws when D1 fails. */
export async function readStoredBytes(env: WarmEnv, tenant: string): Promise<number> {
  const sums = await Promise.all(
    warmsOf(env).map((warm) =>
      warm
        .prepare("SELECT coalesce(sum(bytes), 0) AS bytes FROM archive_file WHERE tenant = ?1")
        .bind(tenant)
        .first<number>("bytes"),
    ),
  );
  return sums.reduce<number>((sum, bytes) => sum + bytes!, 0);
}
