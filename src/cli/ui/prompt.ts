import { createInterface } from "node:readline";
import type { Session } from "../session.ts";

/** Asks as Docker asks; only `y` is a yes, and the end of standard input is a no. */
export async function confirm(session: Session, warning: string): Promise<boolean> {
  await session.output.print(`${warning}\nAre you sure you want to continue? [y/N] `);
  const lines = createInterface({ input: process.stdin, signal: session.signal });
  try {
    for await (const answer of lines) return answer.trim().toLowerCase() === "y";
    return false;
  } finally {
    lines.close();
  }
}
