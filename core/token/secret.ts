// A deployment's secret → the key that signs, and the id by which a token says which one signed it.

/** HS256 takes a key as long as its hash (RFC 7518 §3.2); a shorter one can be found by trying. */
const SECRET_BYTES_MIN = 32;

/** A secret that is too short to sign with. */
export class SecretError extends Error {
  override name = "SecretError";
}

/**
 * Checks that a secret is long enough, in UTF-8 bytes.
 * @param name what it is called where it is set
 * @throws SecretError that says how to make a better one.
 */
export function checkSecret(secret: string, name: string): void {
  if (secret.length >= SECRET_BYTES_MIN) return; // a character has a byte at least
  const { length } = new TextEncoder().encode(secret);
  if (length >= SECRET_BYTES_MIN) return;
  throw new SecretError(
    `${name} has ${length} bytes and needs ${SECRET_BYTES_MIN}, or tokens can be forged; make one: node -p 'crypto.randomBytes(32).toString("base64")'`,
  );
}

/** Returns the id of a secret's key: it tells keys apart, and nothing of the secret. */
export async function kidOf(secret: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`telltale kid ${secret}`));
  return [...new Uint8Array(hash, 0, 6)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
