/** What the daemon says about itself: one line of JSON each, in the shape that readers of pino's logs know. */
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void;
export type LogLevel = keyof typeof LEVELS;

const LEVELS = { debug: 20, info: 30, warn: 40, error: 50 } as const;

/**
 * @param least what is less important is left out
 * @param write gets whole lines
 */
export function jsonLog(least: LogLevel, write: (line: string) => void): Log {
  return (level, message, fields = {}) => {
    if (LEVELS[level] < LEVELS[least]) return;
    write(`${JSON.stringify({ level: LEVELS[level], time: Date.now(), pid: process.pid, msg: message, ...fields })}\n`);
  };
}
