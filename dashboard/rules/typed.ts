// What a person types → a number or a span, or what is wrong with it. Pure.

/** What cannot be read as what it should be: said at the form, not sent. */
export class DraftError extends Error {}

/** @throws DraftError with the field, what it holds, and what it should. */
export function numberOf(field: string, text: string): number {
  const value = Number(text.trim().replace("−", "-"));
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new DraftError(`${field}: “${text}” is no number; write one like 80 or -0.5.`);
}

const UNIT_MS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `90 s`, `1 min 30 s`, `2h` → ms. @throws DraftError */
export function spanOf(field: string, text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)(?![a-z])/g)];
  const isWhole =
    parts
      .map(([part]) => part)
      .join("")
      .replaceAll(" ", "") === text.replaceAll(" ", "");
  if (parts.length > 0 && isWhole) {
    return Math.round(parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNIT_MS[unit!]!, 0));
  }
  throw new DraftError(`${field}: “${text}” is no span; write one like 30 s, 5 min or 1 h 30 min.`);
}
