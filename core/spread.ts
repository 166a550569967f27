// A name → its share of a whole, so that a fleet is spread over time and over databases.

/**
 * Returns a hash of a name in [0, 1), the same for ever, because it decides which warm database a device lies in.
 * FNV-1a alone has nearly the same share for names that differ in their last digits; MurmurHash3's finaliser spreads
 * them.
 */
export function spreadOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
