import { asVarveError, errnoOf, VarveError } from "../errors.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";

/**
 * Names the entry that an error came from. A failed system call that says something about the tar, not about the disk
 * or our rights, becomes `invalid-archive`: the tar links to what is not there, or goes through a file as if it were a
 * directory.
 *
 * @param hardLinkTo the target of an entry that is a hard link, for the words of Docker
 */
export function archiveFault(error: unknown, name: ByteString, hardLinkTo?: ByteString): unknown {
  const coded = asVarveError(error);
  const errno = errnoOf(coded);
  if (!(coded instanceof VarveError) || errno === undefined) return coded;
  // A hard link is not permitted to a directory, whoever asks.
  const isFault =
    FAULTS.has(errno) || (errno === "EPERM" && hardLinkTo !== undefined && coded.details.syscall === "link");
  const code = isFault ? "invalid-archive" : errno === "EFBIG" ? "too-large" : coded.code;
  // Ours end in the reason, Node's in the reason and the call.
  const reason = coded.message.slice(coded.message.lastIndexOf(": ") + 2).replace(/, .*$/, "");
  const call = hardLinkTo === undefined ? coded.details.syscall : `link /${toText(hardLinkTo)}`;
  const text = `${call} /${toText(name)}: ${reason}`;
  return new VarveError(code, text, { ...coded.details, path: toText(name) }, coded);
}

const FAULTS: ReadonlySet<string> = new Set([
  ...["ENOENT", "EEXIST", "ENOTDIR", "EISDIR", "ELOOP", "ENAMETOOLONG", "EINVAL", "ENOTEMPTY", "EMLINK"],
  ...["E2BIG", "ERANGE"],
]);
