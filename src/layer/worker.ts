import { serve } from "../pool/serve.ts";
import { identityJobs } from "./identity-jobs.ts";
import { removalJobs } from "./removal-jobs.ts";
import { tarJobs } from "./tar-jobs.ts";
import { unpackJobs } from "./unpack-jobs.ts";

/** The file that a worker thread of the layer store runs. */
serve({ ...unpackJobs, ...tarJobs, ...removalJobs, ...identityJobs });
