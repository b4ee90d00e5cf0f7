import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { busyboxTar, lacking, start } from "./dockerd.ts";

const lack = lacking("root", "dockerd", "docker", "busybox");

describe.skipIf(lack)(`a daemon for a test${lack ?? ""}`, () => {
  test("runs a container from an imported busybox and leaves nothing behind", async () => {
    const daemon = await start();
    try {
      await daemon.docker(["import", "-", "box"], { input: busyboxTar() });
      const said = await daemon.docker(["run", "--rm", "--network", "none", "box", "/bin/sh", "-c", "echo hello"]);
      expect(said.toString()).toBe("hello\n");
      await expect(daemon.docker(["inspect", "nothing"])).rejects.toThrow("No such object: nothing");
    } finally {
      await daemon.stop();
    }
    expect(existsSync(daemon.root)).toBe(false);
  });
});
