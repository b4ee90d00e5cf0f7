/** Every command by name, in the order of the help. A command's code is loaded when the command is called. */
import type { CliCommand } from "./command.ts";

export interface CommandEntry {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  load(): Promise<CliCommand>;
}

/** Commands under one heading of the help. */
export interface CommandGroup {
  readonly heading: string;
  readonly commands: readonly CommandEntry[];
}

const load: CommandEntry = {
  name: "load",
  summary: "Load images from a tar archive, an OCI layout or standard input",
  load: async () => (await import("./commands/load.ts")).load,
};
const save: CommandEntry = {
  name: "save",
  summary: "Save one or more images to a tar archive",
  load: async () => (await import("./commands/save.ts")).save,
};
const importing: CommandEntry = {
  name: "import",
  summary: "Make an image of one layer from a tar of files",
  load: async () => (await import("./commands/import.ts")).importing,
};
const images: CommandEntry = {
  name: "images",
  summary: "List images",
  load: async () => (await import("./commands/images.ts")).images,
};
const history: CommandEntry = {
  name: "history",
  summary: "Show the history of an image",
  load: async () => (await import("./commands/history.ts")).history,
};
const tag: CommandEntry = {
  name: "tag",
  summary: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
  load: async () => (await import("./commands/tag.ts")).tag,
};
const rmi: CommandEntry = {
  name: "rmi",
  summary: "Remove one or more images",
  load: async () => (await import("./commands/rmi.ts")).rmi,
};

const create: CommandEntry = {
  name: "create",
  summary: "Create a container from an image",
  load: async () => (await import("./commands/create.ts")).create,
};
const ps: CommandEntry = {
  name: "ps",
  summary: "List containers",
  load: async () => (await import("./commands/ps.ts")).ps,
};
const cp: CommandEntry = {
  name: "cp",
  summary: "Copy files out of an image, and in and out of a container",
  load: async () => (await import("./commands/cp.ts")).cp,
};
const diff: CommandEntry = {
  name: "diff",
  summary: "List what a container changed",
  load: async () => (await import("./commands/diff.ts")).diff,
};
const commit: CommandEntry = {
  name: "commit",
  summary: "Create an image from a container's changes",
  load: async () => (await import("./commands/commit.ts")).commit,
};
const exporting: CommandEntry = {
  name: "export",
  summary: "Export a container's file system as a tar archive",
  load: async () => (await import("./commands/export.ts")).exporting,
};
const rename: CommandEntry = {
  name: "rename",
  summary: "Give a container another name",
  load: async () => (await import("./commands/rename.ts")).rename,
};
const rm: CommandEntry = {
  name: "rm",
  summary: "Remove one or more containers",
  load: async () => (await import("./commands/rm.ts")).rm,
};

export const CONTAINER_HEADING = "Containers, which are kept but not run:";

export const COMMANDS: readonly CommandGroup[] = [
  {
    heading: "Images:",
    commands: [
      load,
      save,
      importing,
      images,
      history,
      {
        name: "inspect",
        summary: "Show everything about images and containers",
        load: async () => (await import("./commands/inspect.ts")).inspect,
      },
      tag,
      rmi,
    ],
  },
  {
    heading: "Files of an image or a container:",
    commands: [
      { name: "ls", summary: "List files", load: async () => (await import("./commands/ls.ts")).ls },
      { name: "cat", summary: "Print files", load: async () => (await import("./commands/cat.ts")).cat },
      cp,
      {
        name: "mount",
        summary: "Mount a container, or an image read-only",
        load: async () => (await import("./commands/mount.ts")).mount,
      },
      {
        name: "umount",
        summary: "Unmount what mount mounted",
        load: async () => (await import("./commands/mount.ts")).umount,
      },
    ],
  },
  {
    heading: CONTAINER_HEADING,
    commands: [create, ps, rename, diff, commit, exporting, rm],
  },
  {
    heading: "The store:",
    commands: [
      { name: "df", summary: "Show disk usage", load: async () => (await import("./commands/df.ts")).df },
      {
        name: "info",
        summary: "Describe the store and the machine",
        load: async () => (await import("./commands/info.ts")).info,
      },
      {
        name: "events",
        summary: "Print what happens to the store",
        load: async () => (await import("./commands/events.ts")).events,
      },
      {
        name: "migrate",
        summary: "Bring the images of Docker 1.9 and before into the store of today",
        load: async () => (await import("./commands/migrate.ts")).migrate,
      },
      {
        name: "serve",
        summary: "Answer docker's client and whatever else speaks the Engine API",
        load: async () => (await import("./commands/serve.ts")).serve,
      },
      {
        name: "version",
        summary: "Print the version",
        load: async () => (await import("./commands/version.ts")).version,
      },
      {
        name: "completion",
        summary: "Print a completion script for a shell",
        load: async () => (await import("./commands/completion.ts")).completion,
      },
    ],
  },
];

/** `varve image`: Docker's other names for what stands above, and `prune`. */
export const IMAGE_COMMANDS: readonly CommandEntry[] = [
  history,
  importing,
  {
    name: "inspect",
    summary: "Show everything about images",
    load: async () => (await import("./commands/inspect.ts")).imageInspect,
  },
  load,
  { ...images, name: "ls", aliases: ["list"] },
  { name: "prune", summary: "Remove unused images", load: async () => (await import("./commands/prune.ts")).prune },
  { ...rmi, name: "rm", aliases: ["rmi", "remove"] },
  save,
  tag,
];

/** `varve container`: the same for containers. */
export const CONTAINER_COMMANDS: readonly CommandEntry[] = [
  commit,
  cp,
  create,
  diff,
  exporting,
  {
    name: "inspect",
    summary: "Show everything about containers",
    load: async () => (await import("./commands/inspect.ts")).containerInspect,
  },
  { ...ps, name: "ls", aliases: ["list", "ps"] },
  {
    name: "prune",
    summary: "Remove all stopped containers",
    load: async () => (await import("./commands/container-prune.ts")).containerPrune,
  },
  rename,
  { ...rm, aliases: ["remove"] },
];
