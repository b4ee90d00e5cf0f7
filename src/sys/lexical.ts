/**
 * The components of a slash-separated name that are left once empty ones and `.` are dropped and each `..` has taken
 * back the one before it; those that take nothing back stay if `climbs`. It follows no links. A name may be a megabyte of
 * `./`, so nothing is made of what is not kept.
 */
export function lexicalComponents(name: string, climbs: boolean): string[] {
  const kept: string[] = [];
  for (let at = 0, end = 0; at < name.length; at = end + 1) {
    end = name.indexOf("/", at);
    if (end < 0) end = name.length;
    const length = end - at;
    if (length === 0 || (length === 1 && name[at] === ".")) continue;
    if (length > 2 || !name.startsWith("..", at)) kept.push(name.slice(at, end));
    else if (kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else if (climbs) kept.push("..");
  }
  return kept;
}
