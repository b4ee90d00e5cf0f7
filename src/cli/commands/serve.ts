import { notify } from "../../daemon/inherited.ts";
import { giveToGroup, isRemote, type Place, parseAddress, placesOf } from "../../daemon/listen.ts";
import { type Log, openLog } from "../../daemon/log.ts";
import { Server } from "../../daemon/server.ts";
import type { Store } from "../../engine/store.ts";
import { socketOf } from "../../remote/host.ts";
import { type CliCommand, streamCommand, usage } from "../command.ts";
import { addExamples, addJson, repeatable } from "../options.ts";
import { tlsFiles } from "../session.ts";

interface Options {
  readonly host?: readonly string[];
  readonly group?: string;
  readonly insecure?: boolean;
  readonly tlscacert?: string;
  readonly tlscert?: string;
  readonly tlskey?: string;
  readonly stopTimeout?: string;
  readonly debug?: boolean;
}

/** Where it answers, as soon as it does. */
interface Serving {
  readonly addresses: readonly string[];
  readonly root: string;
}

export const serve: CliCommand = streamCommand<Options, Serving>({
  isLocal: true,

  declare(command) {
    command
      .usage("[OPTIONS]")
      .addOption(
        repeatable(
          "-H, --host <address>",
          "Listen at unix:///PATH, tcp://HOST:PORT, fd://, fd://3 or fd://NAME (default: varve/docker.sock in the data-root)",
        ),
      )
      .option("-G, --group <name>", "Let a group use the unix sockets (default: only their owner)")
      .option("--tlscacert <file>", "Authority that has signed the certificates of clients (default: no TLS)")
      .option("--tlscert <file>", "Certificate of the server (default: no TLS)")
      .option("--tlskey <file>", "Key of the server (default: no TLS)")
      .option("--insecure", "Let everybody who reaches a TCP address do anything (default: ask for TLS)")
      .option("--stop-timeout <seconds>", "How long running requests may go on when it stops (default: 10)")
      .option("-D, --debug", "Log every request (default: what happens and what fails)");
    addJson(command, "Print where it listens as a JSON object (default: as text)");
    addExamples(
      command,
      "varve serve",
      "varve serve -H unix:///run/varve.sock -G docker",
      "varve serve -H tcp://0.0.0.0:2376 --tlscacert ca.pem --tlscert cert.pem --tlskey key.pem",
    );
  },

  async *items({ options, session }) {
    const tls = tlsFiles(options);
    const grace = graceOf(options.stopTimeout);
    const given = (options.host ?? []).map(parseAddress).flatMap(placesOf);
    if (given.some(isRemote) && tls === undefined && !options.insecure)
      throw usage(
        "whoever reaches a TCP address may do anything: add --tlscacert, --tlscert and --tlskey, or --insecure",
      );
    const log = await openLog(options.debug ? "debug" : "info");
    const store = await session.ownStore();
    using _claim = await store.claimForDaemon(`varve serve (pid ${process.pid})`);
    const places = given.length > 0 ? withoutTwins(given) : defaultPlaces(store);
    const server = await Server.start(store, { places, tls, log });
    try {
      if (options.group !== undefined) shareSockets(places, options.group);
      log("info", "listening", { addresses: server.addresses, root: store.root, driver: store.driver });
      tellManager("READY=1", log);
      yield { addresses: server.addresses, root: store.root };
      await interrupted(session.signal);
      log("info", "stopping");
      tellManager("STOPPING=1", log);
    } finally {
      await server.stop(grace);
    }
    log("info", "stopped");
  },

  line: ({ addresses }) => `Listening at ${addresses.join(", ")}`,
});

function defaultPlaces({ root }: Store): Place[] {
  return placesOf(parseAddress(socketOf(root)));
}

/** `fd://` and `fd://3` may mean one socket, which can be listened at once. */
function withoutTwins(places: readonly Place[]): Place[] {
  return [...new Map(places.map((place) => [JSON.stringify(place), place])).values()];
}

function shareSockets(places: readonly Place[], group: string): void {
  for (const place of places) if (place.kind === "unix") giveToGroup(place.path, group);
}

function tellManager(state: string, log: Log): void {
  try {
    notify(state);
  } catch (error) {
    log("warn", "the service manager cannot be told", { state, error: (error as Error).message });
  }
}

function graceOf(text = "10"): number {
  if (!/^\d{1,6}$/.test(text)) throw usage(`--stop-timeout is no number of seconds: ${text}`);
  return Number(text) * 1000;
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
