import { ABSENT_ROUTES } from "./routes/absent.ts";
import { CONTAINER_FILE_ROUTES } from "./routes/container-files.ts";
import { CONTAINER_ROUTES } from "./routes/containers.ts";
import { CREATE_ROUTES } from "./routes/create-container.ts";
import { IMAGE_ROUTES } from "./routes/images.ts";
import { REFUSED_ROUTES } from "./routes/refused.ts";
import { SYSTEM_ROUTES } from "./routes/system.ts";
import { TRANSFER_ROUTES } from "./routes/transfer.ts";
import { VARVE_ROUTES } from "./routes/varve.ts";
import { VOLUME_ROUTES } from "./routes/volumes.ts";
import { RouteTable } from "./routes.ts";

/** Everything that the daemon answers; whatever else is asked for is not found. docs/engine-api.md says what differs. */
export const API: RouteTable = new RouteTable([
  ...SYSTEM_ROUTES,
  ...TRANSFER_ROUTES,
  ...IMAGE_ROUTES,
  ...CONTAINER_FILE_ROUTES,
  ...CONTAINER_ROUTES,
  ...CREATE_ROUTES,
  ...REFUSED_ROUTES,
  ...VOLUME_ROUTES,
  ...ABSENT_ROUTES,
  ...VARVE_ROUTES,
]);
