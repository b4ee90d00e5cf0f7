/**
 * What Go 1.19.8's archive/tar (`Writer.WriteHeader`, with `Format` set as the header says and unset for `unknown`
 * and `v7`) makes of `TRICKY_HEADERS`: the bytes as the base64 of their raw deflate, or `undefined` for an error.
 */
export const GO_HEADERS: Readonly<Record<string, string | undefined>> = {
  "a file as docker packs it":
    "Sy1J1s/NL0lhoCEwMDQwMDMxYTCAAHTawMDQhMHQyMDYzMzQ1AgkbmhkamDCoGDAQAdQWlySWMRgYFCUn1+CTx0heXTPDREAAA==",
  "a directory": "Sy1J1megMTAwMDEwNzVlMIAAdBoL29zczIRBwZSBDqC0uCSxiMHAgHJPonpuiAAA",
  "a symlink": "S8rM0y/OYKApMDA0MjA3N2cwgAB0GpNtaGRqas6gYKSflJmnn1RaXJmUX0Erx5UWlyQWMRgYUOxJNM8NEQAA",
  "a hard link": "S2KgPTAwMDAwMzEB0wYGBug0Fra5qYEhg4JhIh0cV1pckljEYGBADU8ie26IAAA=",
  "a device": "S0kt088rzclhoCEwMDAyMDMzYzCAAHQak21oYGZmzKBgzEAHUFpckljEYGBAuSdBwBBK08Xp1AAA",
  "a whiteout": "S0ksSdTXK8/QS2KgGTAwMDAwMzAA0waYNCbb0MDc2JhBwYCBDqC0uCSxiMHAgBqeRPbcEAEA",
  "an empty name": "Y2CgPTAwMDAwMzEB0wYGBug0Fra5obkpg4IBHdzGUFpckljEYGBADU8ie26IAAA=",
  "a name that just fits": "y8ujPTAwMDAwMzFhMIAAdBqTbWxiambKoGDAQAdQWlySWMRgQLFd6J4bIgAA",
  "a name of one byte more without a slash":
    "C0is8EhNTEktKtYz0M+jDTCAAAYctIGhqTmcDRY3NjI3N2BQqGCgAygtLkksYjAwYBiZwNDQUKEgsSTDNo8egIthFAwuQI9YB2VqMxMTnPkfg21sYmpmyqBgMJTyP7rnhggAAA==",
  "a name split at the only slash that will do": "S0khHzAQCQwMDAzMTEzAtIGBATqNyTY2MTUzZVAwYKADKC0uSSxiMKDYLnTP0S44qQoA",
  "a prefix of 155 bytes": "S0mhPTAwMDAwMzFhMIAAdBqTbW5oYGzIoGDAQAdQWlySWMRgQLFd6J5LGbwA2dkA",
  "a prefix of 156 bytes":
    "S0mhPTCAAAYctIGxsSGcDRY3NjQxNWNQqGCgAygtLkksYjAwYBiZwMjQXKEgsSTDNmUQA33StXAxjAJiQAqd8r+ZiQnO/I/BNjYyMzRlUDAYSvkf3XNDBAAA",
  "a rest of 101 bytes":
    "S0mBAf2AxAqP1MSU1KJiPQP9FCoCAwhgwEEbGJobwdlgcWNDQ2MjBoUKBjqA0uKSxCIGAwOGkQkMjYwUChJLMmwR0UXVuMcJuBhGwSAA9Ih2UKY2MzHBmf8x2MZGpsYGDAoGQyn/o3tuiAAA",
  "a long name that starts with its only slash":
    "0w9IrPBITUxJLSrWM9DPowkwgAAGHLSBoak5nA0WNzYyMzdkUKhgoAMoLS5JLGIwMGAYmcDQ0FChILEkw5ZGcY8KuBhGweAC9Ih2UKY2MzHBmf8x2MYmJmZmDAoGQyn/o3tuiAAA",
  "a long directory, divided before its last slash":
    "S0khH+gzEAcMDAwMzExMwLSBgQE6jck2NjMzMmRQMGWgAygtLkksYjAwoNQcdM9REK4pDPQDAA==",
  "a long directory without another slash":
    "S0mhPTCAAAYctIGhGYINFjc2NDE1Y1CoYKADKC0uSSxiMDBgGJnA0NBIoSCxJMM2hR5An4thFAwqkEKn/G9mYoIz/2OwjY3MjIwYFEyHUv5H99wQAQA=",
  "a name cut behind slashes":
    "S0mhMdAPSDSAAAYctIGJoRmcDRY3NjQ2MWNQqGCgAygtLkksYjAwYBiZwMjcQKEgsSTDNoXmCUFfP22QA66RF/80j3YGfX1QpjYzMcGZ/zHYxkZG5uYMCgZDKf+je26IAAA=",
  "a non-ASCII name":
    "S05M0w9IrPBITUxJLSrWM2CgATCAAFy0gYGRIYINEjc0MDMzY1CoYKADKC0uSSxiMDBgGJnA0FyhILEkwzY5Me3wSv3//7gYRsFIAsmJafq0tgOUqc1MTHDnfwy2ubmRGYOCwVDK/+ieGyIAAA==",
  "a non-ASCII name of a directory":
    "y09J0U9KTNHVD0is8EhNTEktKtYzYKAuMIAAXLSBgZExgg0SNzQ0NTRgUKhgoAMoLS5JLGIwMGAYmcDQUqEgsSTDNh+aDv7rczGMgpEDYPGuT0M7QJnazMQEd/5HZxsamJoaMyiYDqX8j+65IQIA",
  "a name that leaves": "S0lhoDkwMDAwMDMxAdMGBgboNCbb2NjEwJxBwYCBDqC0uCSxiMHAgBqeRPacnp6+np5+Cu0BZc4GAA==",
  "an absolute non-ASCII name":
    "0w9IrPBITUxJLSrWM2CgDTCAAFy0gYGhMYINEjc0MDI0ZVCoYKADKC0uSSxiMDBgGJnA0FChILEkw1b/CRfDKBh5QJ8OdoAytZmJCe78j8E2NzI1YVAwGEr5H91zQwQAAA==",
  "a link target that just fits": "y2GgPTAwMDAwMzEB0wYGBug0JtvYzMDcmEHBqIQOoLS4JLGIwcCAGp5E9twQAQA=",
  "a long link target":
    "C0is8EhNTEktKtYz0M9hoAkwgABctIGxuRmcDRY3NDAxMGVQqGCgAygtLkksYjAwYBiZwMjURCEnMy+7ILEkw7ZkhAEuhhEPcuhgByhTm5mY4Mz/GGxjMwNzYwYFI3qkAWrlf3TPDREAAA==",
  "a long non-ASCII link target":
    "C0is8EhNTEktKtYz0M9hoAkwgABctIGRgTmcDRY3NDA2N2NQqGCgAygtLkksYjAwYBiZwNDYVCEnMy+7ILEkw7ZkgMATLoZRMDAghw52gDK1mYkJzvyPwTY2MzA3ZlAwokfao1b+R/fcEAEA",
  "owner names that just fit": "q2CgPTAwMDAwMzEB0wYGBug0JtvI1NDMlEHBgA5uYygtLkksYjAwKCUA0gkAdM8NEQAA",
  "owner names that do not":
    "C0is8EhNTEktKtYz0K9goAkwgABctIGBmTmCDRI3NDAxNGNQoJFzUEFpcUliEYOBAcPIBIZGCul5ibmptoeXcJkYK5SC2aWEABfDKBgegB55DJzFTUxw5390tqGZmZEpg4IBPfM/oSRPaiE3RAAA",
  "the largest octal owner": "q2CgPTAwMDAwMzFhMIcAOG2AAGhsc1MjcwYFAzq4jaG0uCSxiMHAgBqeRPIIwxABAA==",
  "larger owners":
    "C0is8EhNTEktKtYz0K9goAkwgABctIGBsRmCDRI3NDAxNGJQoJFzUEFpcUliEYOBAcPIBIamCumZKbbGkKDnMjRVKM1MsTUysDQ3NDXiYhgFwxzQI4+BUpaZiQnu/I/BNjc2M2VQMBhK+R/dc0MEAAA=",
  "an owner below 0":
    "C0is8EhNTEktKtYz0K9goAkwgABctIGBoSGCDRI3NDAxMGZQoJFzUEFpcUliEYOBAcPIBJYKpZkptrqGXAyjYCQCeuQxUKY2MzHBnf8x2ObGZqYMCgZDKf+je26IAAA=",
  "the largest octal size": "q2CgPTAwMDAwMzEB0wYGBnDaHAFgYlB5c1MDIwYFAzq4jaG0uCSxiMHAgBqeRPbcEAEA",
  "a size of 8 GiB":
    "C0is8EhNTEktKtYz0K9goAkwgABctIGBkTGCDRI3NDAxMGNQoJFzUEFpcUliEYOBAcPIBIaWCsWZVam2FqYWlpbGJqaWRlwMo2DkAHrkMVCmNjMxwZ3/MdjmxmamDAoGQyn/o3tuiAAA",
  "a time before the epoch":
    "C0is8EhNTEktKtYz0K9goAkwgABctIGBkQmCDRI3NDAxMGdQoJFzUEFpcUliEYOBAcPIBEYGCrklmbmptrrGhqZmhpZGBgZcDKNgxAB65DFQpjYzMcGd/zHY5sZmpgwKBkMp/6N7bogAAA==",
  "the last octal time": "q2CgPTAwMDAwMzEB0wYGBug0mG2OAAwGBuamBkYMCgZ0cBtDaXFJYhGDgQE1PInsuSECAA==",
  "a time after it":
    "C0is8EhNTEktKtYz0K9goAkwgABctIGBkQmCDRI3NDAxMGdQoJFzUEFpcUliEYOBAcPIBEYGCrklmbmpthamFpaWxiamlkZcDKNgxAB65DFQpjYzMcGd/zHY5sZmpgwKBkMp/6N7bogAAA==",
  nanoseconds:
    "C0is8EhNTEktKtYz0K9goAkwgABctIGBkQmCDRI3NDAxMGdQoJFzUEFpcUliEYOBAcPIBEYGCrklmbmptoZ6kNA3NOJiGAUjBtAjj4GSlZmJCe78j8I2ZDAwMDc2M2NQMBhK+R/dc0MEAAA=",
  "nanoseconds before the epoch":
    "C0is8EhNTEktKtYz0K9goAkwgABctIGBoRmCDRI3NDAxNGBQoJFzUEFpcUliEYOBAcPIBIYmCrklmbmptrqGeqZcDKNghAF65DFQpjYzMcGd/zHY5sZmpgwKBkMp/6N7bogAAA==",
  "nanoseconds that nobody asked for": "q2CgPTAwMDAwMzEB0wYGBug0GtuIwcDA3NjMnEHBgA5uYygtLkksYjAwoIYnkT03RAAA",
  "all times":
    "C0is8EhNTEktKtYz0K9goAkwgABctIGBCRIbJG5oYGJgyqBAI+eggtLiksQiBgMDhpEJjAwVEksyc1NtjfRg4W/IZWiokAwWNOZiGAXDGtAjj4ESlZmJCe78j8I2ZDAwMDc2M2NQMBhK+R/dc0MEAAA=",
  "a capability":
    "C0is8EhNTEktKtYz0C/IzEtnoD4wgABctIGBuSGCDRI3NDQwN2dQqGCgAygtLkksYjAwYBiZwNRcIdjZw9MnUq8isaSkSK84Nbm0KLOkUi85sSAxKTMns6TSlpGBgYlBARVyMYyC4QBolOUx8r+ZiQnu/I/ONjQwMDVmUDAYSvkf3XNDBAAA",
  "two attributes and a comment, sorted":
    "C0is8EhNTEktKtYz0K9goAkwgABctIGBuTmCDRI3NDAxNGdQoJFzUEFpcUliEYOBAcPIBEZmCsHOHp4+kXoViSUlRXqlxalFeom2/xm4jEywyCTZchkaKyTn5+am5pXYJnMxjIKhDeiRx0CZ2szEBHf+x2CbG5uZMigYDKX8j+65IQIA",
  "a record whose length grows by its own digit":
    "C0is8EhNTEktKtYz0K9goAkwgABctIGhiTGcDRY3NDAxNGRQoJFzUEFpcUliEYOBAcPIBJaWCtm2ZbQEXAyjYPACeuQxUKY2MzHBmf8x2ebGZqYMCgZDKf+je26IAAA=",
  "a record that says what the field says":
    "C0is8EhNTEktKtYz0K9goAkwgABctIGBkRGCDRI3NDAxMGVQoJFzUEFpcUliEYOBAcPIBJYKBYklGbYVXJYKxZlVqbYGXAyjYAQBeuQxUKY2MzHBnf8x2ObGZqYMCgZDKf+je26IAAA=",
  "records that contradict the fields": "q2CgPTAwMDAwMzEB0wYGBug0Fra5sZkpg4IBHdzGUFpckljEYGBADU8ie26IAAA=",
  "a record with a NUL": undefined,
  "a record without a key": undefined,
  "records of a megabyte": undefined,
  "a global header":
    "K0isiE/PyU9KzInPSE1MSS1ioD4wgABctIGBkRmCDRI3NDQ2NWdQSGegAygtLkksYjAwYBiZwMhIITk/Nzc1r8TWwNDI2MTUzNzCkothFIwQAAA=",
  "a global header without a name": "c8/JT0rM8UhNTNEz0DNgoAkwgABcNCbb0MDIwJRBIZ2BDqC0uCSxiMHAgGFkAgA=",
  "a mode that only GNU can write": "q2CgPWgAEfb//xtAAAMajck2NDAwM2FQMKCD2xhKi0sSixQUKDYH3XNDBAAA",
  "a mode that PAX cannot write": undefined,
  "a long name and target in GNU":
    "09PX03fwyc9L98nMy2agDTCAAFy0gZGhGZwNETc3NzVhUPBhoAMoLS5JLFJQYBihIIUqQJ86xjCMAnoDvUGQ/w1NsOR/UwYF79H8T3NQQg8wms1GdPkPytRmJiY48z8G28zQyNCIQcGIHmmTWvkf3XNDBAAA",
  "large numbers in GNU":
    "q2CgPTAwMDAwMzFhaGBgBPP/Q8DvBog0B5IYGBgYmpuZGDIoGNDBbQylxSWJRQoKVPGkgYEBOm1gYGDOAPUoC8PgAwA=",
  "an attribute in GNU": undefined,
  "a non-ASCII name in USTAR": undefined,
  "a time in USTAR that has nanoseconds": "q2CgPTAwMDAwMzEB0wYGBug0GtuQwcDA3NjMjEHBgA5uYygtLkksYjAwoIYnkT03RAAA",
  "V7's type of a directory": "S9FnoDkwMDAwMDMxAdMGBgboNBa2uYmRKYOCKQMdQGlxSWIRg4EBNTyJ7LkhAgA=",
  "V7's type of a file": "S2OgPTAwMDAwMzEB0wYGBug0Fra5sYkxg4IBHdzGUFpckljEYGBADU8ie26IAAA=",
  "a file with a slash": undefined,
  "a hard link with a slash": "S9NnoDkwMDAwMDMxAdMGBgboNBa2uYmRMYOCIQMdQGlxSWIRg4EBNTyJ7LkhAgA=",
  "a negative size": undefined,
  "a negative size without payload":
    "q9APSKzwSE1MSS0q1jNgoAkwgABctIGBoTGCDRI3NDAxMGVQqGCgAygtLkksYjAwYBiZwNBQoTizKtVW15CLYRSMPFChT3s7QJnazMQEd/7HYJubmBoyKJgOpfyP7rkhAgA=",
  "a header about a header": undefined,
  "an unknown type": "q2CgPTAwMDAwMzEB0wYGBug0Fra5ibE5g0IUHdzGUFpckljEYGBADU8ie26IAAA=",
};
