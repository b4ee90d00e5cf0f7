import { binarySize } from "../../engine/human-size.ts";
import type { StoreInfo } from "../../engine/usage.ts";
import { type CliCommand, documentCommand } from "../command.ts";
import { addExamples, addFormat, addJson } from "../options.ts";
import { compileFormat } from "../ui/rows.ts";
import { Row, type Value } from "../ui/template/value.ts";

export const info: CliCommand = documentCommand<{ readonly format?: string }, StoreInfo>({
  declare(command) {
    command.usage("[OPTIONS]");
    addJson(addFormat(command, "Print with a Go template (default: a list)"));
    addExamples(command, "varve info", "varve info --format '{{.Driver}} {{.DockerRootDir}}'");
  },

  async run({ session }) {
    return (await session.store()).info();
  },

  text(info, { options: { format } }) {
    if (format === undefined) return infoText(info);
    return `${compileFormat(format).execute(new Row("info", Object.entries(infoFields(info))))}\n`;
  },
});

function infoText(info: StoreInfo): string {
  const lines = [
    `Containers: ${info.containers.total}`,
    ` Running: ${info.containers.running}`,
    ` Stopped: ${info.containers.stopped}`,
    `Images: ${info.images}`,
    `Layers: ${info.layers}`,
    `Storage Driver: ${info.driver}`,
    ...info.driverStatus.map(([name, value]) => ` ${name}: ${value}`),
    `Durability: ${info.durability}`,
    `Kernel Version: ${info.kernelVersion}`,
    `Operating System: ${info.operatingSystem}`,
    "OSType: linux",
    `Architecture: ${info.architecture}`,
    `CPUs: ${info.cpus}`,
    `Total Memory: ${binarySize(info.memory)}`,
    `Docker Root Dir: ${info.root}`,
    `Docker Daemon: ${info.dockerd ? "runs on this root, which is read-only as long as it does" : "none on this root"}`,
    `Broken Records: ${info.broken.length}`,
    ...info.broken.map((text) => ` ${text}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** Docker's names where it has the field. */
function infoFields(info: StoreInfo): Record<string, Value> {
  return {
    Containers: info.containers.total,
    ContainersRunning: info.containers.running,
    ContainersStopped: info.containers.stopped,
    Images: info.images,
    Layers: info.layers,
    Driver: info.driver,
    DriverStatus: info.driverStatus,
    Durability: info.durability,
    KernelVersion: info.kernelVersion,
    OperatingSystem: info.operatingSystem,
    OSType: "linux",
    Architecture: info.architecture,
    NCPU: info.cpus,
    MemTotal: info.memory,
    DockerRootDir: info.root,
    DaemonRunning: info.dockerd,
    Broken: info.broken,
  };
}
