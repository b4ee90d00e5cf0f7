import { arch, platform } from "node:os";
import { version as packageVersion } from "../../engine/version.ts";
import { type CliCommand, documentCommand } from "../command.ts";
import { addExamples, addFormat, addJson } from "../options.ts";
import { compileFormat } from "../ui/rows.ts";
import { Row } from "../ui/template/value.ts";

interface Versions extends Readonly<Record<string, string>> {
  readonly Version: string;
  readonly NodeVersion: string;
  readonly Os: string;
  readonly Arch: string;
}

export const version: CliCommand = documentCommand<{ readonly format?: string }, Versions>({
  isLocal: true,

  declare(command) {
    command.usage("[OPTIONS]");
    addJson(addFormat(command, "Print with a Go template (default: a list)"));
    addExamples(command, "varve version", "varve version --format '{{.Version}}'");
  },

  async run() {
    const architecture = { x64: "amd64" }[arch() as string] ?? arch();
    return { Version: packageVersion(), NodeVersion: process.version, Os: platform(), Arch: architecture };
  },

  text(versions, { options: { format } }) {
    if (format !== undefined) return `${compileFormat(format).execute(new Row("version", Object.entries(versions)))}\n`;
    const { Version, NodeVersion, Os, Arch } = versions;
    return `varve:\n Version:           ${Version}\n Node version:      ${NodeVersion}\n OS/Arch:           ${Os}/${Arch}\n`;
  },
});
