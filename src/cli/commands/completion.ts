import { Argument } from "commander";
import { type CliCommand, documentCommand } from "../command.ts";
import { completionScript, SHELLS, type Shell } from "../completion/scripts.ts";
import { addExamples, addJson } from "../options.ts";

interface Script {
  readonly shell: Shell;
  readonly script: string;
}

export const completion: CliCommand = documentCommand<object, Script>({
  isLocal: true,

  declare(command) {
    command.usage("bash|zsh|fish").addArgument(new Argument("<shell>").choices(SHELLS));
    addJson(command, "Print the script as JSON (default: as it is)");
    addExamples(
      command,
      "source <(varve completion bash)",
      "varve completion zsh > ~/.zfunc/_varve",
      "varve completion fish > ~/.config/fish/completions/varve.fish",
    );
  },

  async run({ args: [shell] }) {
    return { shell: shell as Shell, script: completionScript(shell as Shell) };
  },

  text: ({ script }) => script,
});
