// Figures found beside figures expected → how many agree, and what the others are.

const LISTED_MAX = 20;

export class Agreement {
  readonly name: string;
  agreed = 0;
  differed = 0;
  /** The first differences, as sentences. */
  readonly differences: string[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** One figure: the same float64, to the last bit. */
  compare(what: () => string, expected: number | undefined, found: number | undefined): void {
    if (Object.is(expected, found)) this.agreed++;
    else this.differ(`${what()}: expected ${expected}, found ${found}`);
  }

  differ(sentence: string): void {
    this.differed++;
    if (this.differences.length < LISTED_MAX) this.differences.push(sentence);
  }
}
