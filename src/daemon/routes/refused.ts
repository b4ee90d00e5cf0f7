import { VarveError } from "../../errors.ts";
import type { Route } from "../routes.ts";

/** What Docker answers and Varve does not do: told plainly, with the status for it, rather than as not found. */
export const REFUSED_ROUTES: readonly Route[] = [
  ...refused("varve keeps containers and does not run them", [
    ["POST", "/containers/{name:.*}/start"],
    ["POST", "/containers/{name:.*}/stop"],
    ["POST", "/containers/{name:.*}/restart"],
    ["POST", "/containers/{name:.*}/kill"],
    ["POST", "/containers/{name:.*}/pause"],
    ["POST", "/containers/{name:.*}/unpause"],
    ["POST", "/containers/{name:.*}/wait"],
    ["POST", "/containers/{name:.*}/resize"],
    ["POST", "/containers/{name:.*}/attach"],
    ["GET", "/containers/{name:.*}/attach/ws"],
    ["GET", "/containers/{name:.*}/logs"],
    ["GET", "/containers/{name:.*}/top"],
    ["GET", "/containers/{name:.*}/stats"],
    ["POST", "/containers/{name:.*}/update"],
    ["GET", "/containers/{name:.*}/checkpoints"],
    ["POST", "/containers/{name:.*}/checkpoints"],
    ["DELETE", "/containers/{name}/checkpoints/{checkpoint}"],
    ["POST", "/containers/{name:.*}/exec"],
    ["POST", "/exec/{id:.*}/start"],
    ["POST", "/exec/{id:.*}/resize"],
    ["GET", "/exec/{id:.*}/json"],
  ]),
  ...refused("varve makes volumes with their containers only, and no networks", [
    ["POST", "/volumes/create"],
    ["POST", "/networks/create"],
    ["POST", "/networks/{id:.*}/connect"],
    ["POST", "/networks/{id:.*}/disconnect"],
  ]),
  ...refused("varve runs no containers, and is no node of a swarm", [
    ["GET", "/swarm"],
    ["GET", "/swarm/unlockkey"],
    ...["init", "join", "leave", "update", "unlock"].map((action) => ["POST", `/swarm/${action}`] as const),
    ...["services", "nodes", "tasks", "secrets", "configs"].flatMap(
      (kind) =>
        [
          ["GET", `/${kind}`],
          ["GET", `/${kind}/{id}`],
          ["GET", `/${kind}/{id}/logs`],
          ["POST", `/${kind}/create`],
          ["POST", `/${kind}/{id}/update`],
          ["DELETE", `/${kind}/{id}`],
        ] as const,
    ),
  ]),
  ...refused("varve has no plugins", [
    ["GET", "/plugins/privileges"],
    ["POST", "/plugins/pull"],
    ["POST", "/plugins/create"],
    ...["enable", "disable", "push", "upgrade", "set"].map(
      (action) => ["POST", `/plugins/{name:.*}/${action}`] as const,
    ),
  ]),
  ...refused("varve does not build from Dockerfiles", [
    ["POST", "/build"],
    ["POST", "/build/cancel"],
    ["POST", "/session"],
    ["POST", "/grpc"],
  ]),
  ...refused("varve does not speak to registries: load an archive or an OCI layout instead", [
    ["POST", "/auth"],
    ["GET", "/images/search"],
    ["POST", "/images/{name:.*}/push"],
    ["GET", "/distribution/{name:.*}/json"],
  ]),
];

type Refused = readonly [method: Route["method"], pattern: string];

function refused(why: string, routes: readonly Refused[]): Route[] {
  const handle = async (): Promise<never> => {
    throw new VarveError("unsupported", why);
  };
  return routes.map(([method, pattern]) => ({ method, pattern, handle }));
}
