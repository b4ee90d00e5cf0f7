/** What the daemon says about itself: lines of JSON, which are pino's. */
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void;
export type LogLevel = "debug" | "info" | "warn" | "error";

const STDERR = 2;

/** What may wait in memory while the log cannot be written, as on a full disk; more is dropped. */
const MAX_WAITING_BYTES = 1 << 20;

/**
 * A line is written before the call returns, so that the last ones before an end are there too. Whoever takes the log must
 * read it, because a pipe that is full stops the daemon; one that is closed does not, and neither does a full disk.
 *
 * @param least what is less important is left out
 */
export async function openLog(least: LogLevel, descriptor: number = STDERR): Promise<Log> {
  const { destination, pino } = await import("pino"); // nobody else pays for it
  const output = destination({ dest: descriptor, sync: true, maxLength: MAX_WAITING_BYTES });
  output.on("error", () => {}); // there is nobody left to tell
  const logger = pino({ level: least, base: { pid: process.pid } }, output);
  return (level, message, fields = {}) => logger[level](fields, message);
}
