import { VarveError } from "../../errors.ts";
import type { Route } from "../routes.ts";

/** What Docker answers and Varve does not do: told plainly, with the status for it, rather than as not found. */
export const REFUSED_ROUTES: readonly Route[] = [
  ...refused("varve keeps containers and does not run them", [
    ["POST", "/containers/{name}/start"],
    ["POST", "/containers/{name}/stop"],
    ["POST", "/containers/{name}/restart"],
    ["POST", "/containers/{name}/kill"],
    ["POST", "/containers/{name}/pause"],
    ["POST", "/containers/{name}/unpause"],
    ["POST", "/containers/{name}/wait"],
    ["POST", "/containers/{name}/resize"],
    ["POST", "/containers/{name}/attach"],
    ["GET", "/containers/{name}/attach/ws"],
    ["GET", "/containers/{name}/logs"],
    ["GET", "/containers/{name}/top"],
    ["GET", "/containers/{name}/stats"],
    ["GET", "/containers/{name}/checkpoints"],
    ["POST", "/containers/{name}/checkpoints"],
    ["DELETE", "/containers/{name}/checkpoints/{checkpoint}"],
    ["POST", "/containers/{name}/exec"],
    ["POST", "/exec/{id}/start"],
    ["POST", "/exec/{id}/resize"],
    ["GET", "/exec/{id}/json"],
  ]),
  ...refused("varve does not build from Dockerfiles", [
    ["POST", "/build"],
    ["POST", "/build/prune"],
    ["POST", "/build/cancel"],
    ["POST", "/session"],
  ]),
  ...refused("varve does not speak to registries: load an archive or an OCI layout instead", [
    ["POST", "/auth"],
    ["GET", "/images/search"],
    ["POST", "/images/{name:.*}/push"],
    ["GET", "/distribution/{name:.*}/json"],
  ]),
];

function refused(why: string, routes: readonly (readonly [Route["method"], string])[]): Route[] {
  const handle = async (): Promise<never> => {
    throw new VarveError("unsupported", why);
  };
  return routes.map(([method, pattern]) => ({ method, pattern, handle }));
}
