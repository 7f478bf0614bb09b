// An MP4 that mediad admits: whole boxes, one video track, and as many bytes of noise as it takes.
import { createHash, randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'

const kPieceBytes = 4 << 20

const number = (bytes, ...values) => {
  const out = Buffer.alloc(bytes * values.length)
  values.forEach((value, i) => out.writeUIntBE(value, i * bytes, bytes))
  return out
}
const u16 = (...values) => number(2, ...values)
const u32 = (...values) => number(4, ...values)
const zeros = (count) => Buffer.alloc(count)

function box(type, ...parts) {
  const body = Buffer.concat(parts)
  return Buffer.concat([u32(body.length + 8), Buffer.from(type, 'latin1'), body])
}
/// A box with version 0 and flags.
const fullBox = (type, flags, ...parts) => box(type, u32(flags), ...parts)

const kMatrix = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
const kWidth = 320
const kHeight = 240
const kDurationMs = 1000

/// Where the one sample begins is only known once this has a length.
function movie(sampleBytes, sampleOffset) {
  const entry = box('avc1', zeros(6), u16(1), zeros(16), u16(kWidth, kHeight), u32(0x480000, 0x480000, 0), u16(1), zeros(32), u16(24, 0xffff),
    box('avcC', Buffer.from([1, 0x42, 0, 0x1e, 0xff, 0xe0, 0])))
  const table = box('stbl', fullBox('stsd', 0, u32(1), entry), fullBox('stts', 0, u32(1, 1, kDurationMs)),
    fullBox('stsc', 0, u32(1, 1, 1, 1)), fullBox('stsz', 0, u32(sampleBytes, 1)), fullBox('stco', 0, u32(1, sampleOffset)))
  const information = box('minf', fullBox('vmhd', 1, zeros(8)), box('dinf', fullBox('dref', 0, u32(1), fullBox('url ', 1))), table)
  const media = box('mdia', fullBox('mdhd', 0, u32(0, 0, 1000, kDurationMs), u16(0x55c4, 0)),
    fullBox('hdlr', 0, u32(0), Buffer.from('vide'), zeros(12), Buffer.from('video\0')), information)
  const track = box('trak', fullBox('tkhd', 7, u32(0, 0, 1, 0, kDurationMs), zeros(16), kMatrix, u32(kWidth << 16, kHeight << 16)), media)
  return box('moov', fullBox('mvhd', 0, u32(0, 0, 1000, kDurationMs, 0x10000), u16(0x100), zeros(10), kMatrix, zeros(24), u32(2)), track)
}

/// Writes a film of exactly `size` bytes, no two alike; its SHA-256 in hex.
export async function writeFilm(path, size) {
  const brand = box('ftyp', Buffer.from('isom'), u32(512), Buffer.from('isomavc1mp41'))
  const headBytes = brand.length + movie(0, 0).length + 8
  const sampleBytes = size - headBytes
  const head = Buffer.concat([brand, movie(sampleBytes, headBytes), u32(sampleBytes + 8), Buffer.from('mdat')])
  const hash = createHash('sha256')
  const file = await open(path, 'wx')
  try {
    for (let left = size, piece = head; left > 0; piece = randomBytes(Math.min(kPieceBytes, left))) {
      hash.update(piece)
      await file.write(piece)
      left -= piece.length
    }
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}
