// Where the files of a tenant's exports lie in R2.

/** Returns the folder of all exports, or of those of a tenant. */
export const exportsFolder = (tenant?: string) =>
  tenant === undefined ? "export/" : `export/tenant=${tenant}/`;

/** Returns the key of a file of an export; without a file the folder of it. */
export const exportKey = (tenant: string, id: string, file = "") => `${exportsFolder(tenant)}${id}/${file}`;

/** The file that is written last: an export that has none is not done, or gone. */
export const MANIFEST = "manifest.json";

/**
 * Deletes a page of files, at most 1,000, that begin with `prefix`. Returns how many; 0: none is left.
 * @throws when R2 fails.
 */
export async function deletePage(bucket: R2Bucket, prefix: string): Promise<number> {
  const { objects } = await bucket.list({ prefix });
  if (objects.length > 0) await bucket.delete(objects.map(({ key }) => key));
  return objects.length;
}
