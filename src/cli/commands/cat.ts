import { collect } from "../../io/byte-source.ts";
import { type CliCommand, usage } from "../command.ts";
import { addExamples, addJson } from "../options.ts";
import { targetPaths } from "../target-path.ts";

/** What one JSON document may hold of a file. */
const JSON_LIMIT = 64 * 1024 * 1024;

export const cat: CliCommand = {
  declare(command) {
    command.usage("IMAGE|CONTAINER:PATH [PATH...]").argument("<target>").argument("[path...]");
    addJson(command, "Print a JSON object for each file, with its content (default: the bytes)");
    addExamples(command, "varve cat nginx:latest:/etc/nginx/nginx.conf", "varve cat web /etc/passwd /etc/group");
  },

  async perform({ args, options, session }) {
    const files = targetPaths(args);
    if (files.length === 0) throw usage(`name a file of ${args[0]}, such as ${args[0]}:/etc/passwd`);
    const store = await session.store();
    for (const { target, path } of files) {
      const content = store.read(target, path, { signal: session.signal });
      if (options.json) await session.output.print(jsonLine(target, path, await collect(content, JSON_LIMIT)));
      else await session.output.printAll(content);
    }
  },
};

/** Text as text, anything else in base64. */
function jsonLine(target: string, path: string, content: Buffer): string {
  const text = content.toString();
  const isText = Buffer.from(text).equals(content);
  const encoding = isText ? "utf8" : "base64";
  return `${JSON.stringify({ target, path, encoding, content: isText ? text : content.toString("base64") })}\n`;
}
