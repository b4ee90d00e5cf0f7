export type { EntrySink, PayloadHome } from "./disassemble.ts";
export { type Format, type Fragment, type Header, isHeaderOnly, newHeader, TYPE, XATTR_PREFIX } from "./header.ts";
