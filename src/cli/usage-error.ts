import { VarveError } from "../errors.ts";

/** The arguments make no sense to a command; its help has what does. */
export class UsageError extends VarveError {
  /** As typed, `varve image ls`. */
  readonly command: string;

  constructor(command: string, message: string) {
    super("invalid-argument", message, { command });
    this.command = command;
  }
}
