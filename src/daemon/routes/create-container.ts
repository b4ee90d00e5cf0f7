import { existsSync } from "node:fs";
import { VarveError } from "../../errors.ts";
import { isOlder } from "../../image/docker-version.ts";
import { type Call, given } from "../call.ts";
import { createBody, fieldOf } from "../create-body.ts";
import { requiredBody } from "../json-body.ts";
import type { Route } from "../routes.ts";

/** `docker create`, and the first half of `docker run`. */
export const CREATE_ROUTES: readonly Route[] = [{ method: "POST", pattern: "/containers/create", handle: create }];

async function create(call: Call): Promise<void> {
  const { store, query, version, signal, answer } = call;
  const { config, hostConfig, networkingConfig } = createBody(await requiredBody(call));
  if (config === undefined)
    throw new VarveError("invalid-argument", "Config cannot be empty in order to create a container");
  const image = String(fieldOf(config, "Image") ?? "");
  const platform = isOlder(version, FIRST_WITH_PLATFORM) ? undefined : given(query, "platform");
  if (platform !== undefined && image !== "") await checkPlatform(call, image, platform);
  const warnings: string[] = [];
  const id = await store.create(image, {
    name: given(query, "name"),
    config,
    hostConfig: hostConfig && asMeant(hostConfig, version),
    networkingConfig,
    onWarning: (message) => warnings.push(message),
    signal,
  });
  await answer.json({ Id: id, Warnings: warnings }, 201);
}

const FIRST_WITH_PLATFORM = "1.41";

/** @throws VarveError `not-found` with Docker's text for an image that was made for something else */
async function checkPlatform({ store }: Call, image: string, wanted: string): Promise<void> {
  const [os = "", architecture, variant] = wanted.toLowerCase().split("/");
  const { Os, Architecture, Variant } = await store.inspect(image);
  const actual = [Os, Architecture, Variant].filter(Boolean).join("/");
  const isSame =
    os === Os && (architecture ?? Architecture) === Architecture && (variant ?? Variant ?? "") === (Variant ?? "");
  if (isSame) return;
  const message = `image with reference ${image} was found but does not match the specified platform: wanted ${wanted}, actual: ${actual}`;
  throw new VarveError("not-found", message, { image, wanted, actual });
}

type HostConfig = Readonly<Record<string, unknown>>;

/** What clients of older versions mean by what they say, and do not say. */
function asMeant(given: HostConfig, version: string): HostConfig {
  const host: Record<string, unknown> = { ...given };
  // They remove it themselves.
  if (isOlder(version, "1.25")) host.AutoRemove = false;
  if (isOlder(version, "1.40")) {
    host.KernelMemoryTCP = 0;
    if (!fieldOf(given, "IpcMode")) host.IpcMode = "shareable";
  }
  if (isOlder(version, "1.41") && !hasUnifiedCgroups() && !fieldOf(given, "CgroupnsMode")) host.CgroupnsMode = "host";
  const shares = fieldOf(given, "CpuShares");
  if (isOlder(version, "1.19") && typeof shares === "number" && shares > 0)
    host.CpuShares = Math.min(Math.max(shares, LEAST_CPU_SHARES), MOST_CPU_SHARES);
  return host;
}

/** What the kernel takes. */
const LEAST_CPU_SHARES = 2;
const MOST_CPU_SHARES = 262_144;

function hasUnifiedCgroups(): boolean {
  return existsSync("/sys/fs/cgroup/cgroup.controllers");
}
