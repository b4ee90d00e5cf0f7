import { quote } from "../../archive/dockerfile.ts";
import type { HostConfig } from "./host-config.ts";
import { refused } from "./refusal.ts";

/** What a container's security options say, as its record has it. */
export interface Security {
  readonly appArmorProfile: string;
  /** A profile's text, `unconfined`, or nothing for Docker's own. */
  readonly seccompProfile: string;
  readonly noNewPrivileges: boolean;
}

/**
 * Reads security options: `no-new-privileges[=BOOL]`, `apparmor=…`, `seccomp=…` and `label=…`, the last of which need
 * SELinux and do nothing without.
 *
 * @throws VarveError `invalid-argument` with Docker's text
 */
export function readSecurity({ securityOpt }: HostConfig): Security {
  let security: Security = { appArmorProfile: "", seccompProfile: "", noNewPrivileges: false };
  for (const option of securityOpt ?? []) {
    if (option === "disable") continue;
    if (option === "no-new-privileges") security = { ...security, noNewPrivileges: true };
    else security = { ...security, ...readOption(option) };
  }
  return security;
}

function readOption(option: string): Partial<Security> {
  const separator = option.includes("=") ? "=" : ":";
  const at = option.indexOf(separator);
  if (at < 0) throw refused(`invalid --security-opt 1: ${quote(option)}`);
  const [name, value] = [option.slice(0, at), option.slice(at + 1)];
  switch (name) {
    case "label":
      return {};
    case "apparmor":
      return { appArmorProfile: value };
    case "seccomp":
      return { seccompProfile: value };
    case "no-new-privileges":
      if (/^(1|t|T|true|TRUE|True)$/.test(value)) return { noNewPrivileges: true };
      if (/^(0|f|F|false|FALSE|False)$/.test(value)) return { noNewPrivileges: false };
  }
  throw refused(`invalid --security-opt 2: ${quote(option)}`);
}
