// A seed → the same decisions in every run, in whatever order they are asked for.

/** A number in [0, 1) that depends on its arguments and on nothing else. */
export function chance(seed: number, ...site: (string | number)[]): number {
  let hash = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b);
  const text = site.join("/");
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** A sequence of decisions: for what is planned in one piece. */
export class Random {
  readonly #seed: number;
  #drawn = 0;

  constructor(seed: number, ...site: (string | number)[]) {
    this.#seed = Math.floor(chance(seed, ...site) * 2 ** 32);
  }

  next(): number {
    return chance(this.#seed, this.#drawn++);
  }

  hits(probability: number): boolean {
    return this.next() < probability;
  }

  /** An integer in [from, to]. */
  between(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.next() * from.length)]!;
  }

  shuffled<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const other = this.between(0, i);
      [shuffled[i], shuffled[other]] = [shuffled[other]!, shuffled[i]!];
    }
    return shuffled;
  }
}
