// What a PNG needs beside its bytes.
export { deflateSync } from 'node:zlib'

const kTable = Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k += 1) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
  return c >>> 0
})

/// node:zlib has one since 22.2 only.
export function crc32(bytes) {
  let c = 0xffffffff
  for (const byte of bytes) c = kTable[(c ^ byte) & 255] ^ (c >>> 8)
  return (c ^ 0xffffffff) >>> 0
}
