// What the browser remembers for this page; a browser that forbids it just forgets.

export function recall(key: string): string | null {
  try {
    return localStorage.getItem(`telltale.${key}`);
  } catch {
    return null;
  }
}

/** null forgets. */
export function remember(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`telltale.${key}`);
    else localStorage.setItem(`telltale.${key}`, value);
  } catch {
    // Storage refused or full: the choice holds until the page is closed.
  }
}
