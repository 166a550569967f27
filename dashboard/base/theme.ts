// The chosen colour theme: the system's, or the one the operator set.
import { recall, remember } from "./storage.ts";

export type Theme = "auto" | "light" | "dark";
const NEXT: Record<Theme, Theme> = { auto: "dark", dark: "light", light: "auto" };
const listeners = new Set<() => void>();
let chosen: Theme = "auto";

/** Called before the first paint. */
export function startTheme(): void {
  const stored = recall("theme");
  chosen = stored === "dark" || stored === "light" ? stored : "auto";
  show();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => notify());
}

export function currentTheme(): Theme {
  return chosen;
}

export function turnTheme(): void {
  chosen = NEXT[chosen];
  remember("theme", chosen === "auto" ? null : chosen);
  show();
  notify();
}

/** Told when colours change, by choice or by the system. */
export function onTheme(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function show(): void {
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

function notify(): void {
  for (const listener of listeners) listener();
}
