import { formatPlatform, hostPlatform, platformScore } from "../../archive/platform.ts";
import type { ImageConfig } from "../../image/config.ts";

/** Tells, in Docker's words, of an image that was made for another machine. */
export function platformWarning(
  { os, architecture, variant }: ImageConfig,
  warn: ((message: string) => void) | undefined,
): void {
  const host = hostPlatform();
  const offered = { os: os || "linux", architecture, variant };
  const older = { ...host, architecture: OLDER[host.architecture] ?? host.architecture };
  if (platformScore(offered, host) > 0 || platformScore(offered, older) > 0) return;
  warn?.(
    `The requested image's platform (${formatPlatform(offered)}) does not match the detected host platform (${formatPlatform(host)}) and no specific platform was requested`,
  );
}

/** What a machine runs beside its own. */
const OLDER: Readonly<Record<string, string>> = { amd64: "386", arm64: "arm" };
