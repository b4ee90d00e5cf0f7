/**
 * Which file of what: `nginx:1.27:/etc/hosts` is `/etc/hosts` of `nginx:1.27`. An image's name never has a slash right
 * after a colon, so the first `:/` parts the two.
 */
export interface TargetPath {
  readonly target: string;
  readonly path: string;
}

/** @returns undefined where the text names no path */
export function splitTarget(text: string): TargetPath | undefined {
  const at = text.indexOf(":/");
  return at <= 0 ? undefined : { target: text.slice(0, at), path: text.slice(at + 1) };
}

/**
 * An argument of `cp`, read as Docker reads it: what is absolute or begins with a dot is a local path; a path inside
 * may be relative to the root.
 */
export function splitCopyArgument(text: string): TargetPath | undefined {
  if (text.startsWith("/")) return undefined;
  const split = splitTarget(text);
  if (split !== undefined && !split.target.startsWith(".")) return split;
  const at = text.indexOf(":");
  return at <= 0 || text.startsWith(".") ? undefined : { target: text.slice(0, at), path: text.slice(at + 1) };
}

/**
 * The arguments of `cat` and `ls`: `TARGET:PATH`, or the target and then paths of it.
 *
 * @example targetPaths(["nginx", "/etc"]) // [{ target: "nginx", path: "/etc" }]
 */
export function targetPaths([first = "", ...rest]: readonly string[], defaultPath?: string): TargetPath[] {
  const split = splitTarget(first);
  if (split !== undefined)
    return [split, ...rest.map((text) => splitTarget(text) ?? { target: split.target, path: text })];
  const paths = rest.length === 0 && defaultPath !== undefined ? [defaultPath] : rest;
  return paths.map((path) => ({ target: first, path }));
}
