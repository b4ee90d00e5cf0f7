/** What the `docker` command sends to create a container, so that both record the same. */
export function createRequest(): { config: object; hostConfig: object; networkingConfig: object } {
  return {
    config: { AttachStdout: true, AttachStderr: true },
    hostConfig: HOST_CONFIG,
    networkingConfig: { EndpointsConfig: {} },
  };
}

const HOST_CONFIG = {
  NetworkMode: "default",
  PortBindings: {},
  RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
  Dns: [],
  DnsOptions: [],
  DnsSearch: [],
  MemorySwappiness: -1,
  BlkioWeightDevice: [],
  Devices: [],
};
