/** Compares dotted numbers, `1.9` before `1.12`; a part that is no number is 0, and so is one that is missing. */
export function isOlder(version: string, than: string): boolean {
  const [ours, theirs] = [version.split("."), than.split(".")];
  for (let i = 0; i < Math.max(ours.length, theirs.length); i++) {
    const difference = numberOf(ours[i]) - numberOf(theirs[i]);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function numberOf(part: string | undefined): number {
  return part !== undefined && /^[+-]?\d+$/.test(part) ? Number(part) : 0;
}
