// README.md and docs/*.md → the commands in them, as a reader pastes them.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** The README is read first, and sets what the others use. */
export const DOCUMENTS = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .sort()
    .map((name) => `docs/${name}`),
];

export interface Block {
  /** `README.md:21`. */
  place: string;
  /** Of the fence: `sh`, `sql`, `json` or empty. */
  language: string;
  /** What the comment right before it says; null: there is none. */
  mark: string | null;
  text: string;
}

export const ACCOUNT_MARK = "needs an account";

/** The fenced blocks of a document, in order. */
export function blocksOf(document: string): Block[] {
  const text = readFileSync(join(ROOT, document), "utf8");
  return [...text.matchAll(/(?:^<!-- (.+) -->\n)?^```(.*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    place: `${document}:${text.slice(0, match.index).split("\n").length}`,
    language: match[2]!,
    mark: match[1] ?? null,
    text: match[3]!,
  }));
}

/** What a block shows as the answer: its lines that are comments. */
export const answersIn = ({ text }: Block) =>
  text
    .split("\n")
    .filter((line) => line.startsWith("# "))
    .map((line) => line.slice(2));
