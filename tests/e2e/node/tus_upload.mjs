// Uploads a large film to a real mediad with tus-js-client, while connections break or mediad dies, and sees that it arrives.
//   node tus_upload.mjs MEDIAD cuts|kills|stalls [BYTES]
// One line of figures and exit code 0, or the reason and 1.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, createReadStream, openSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Upload } from 'tus-js-client'
import { writeFilm } from './film.mjs'
import { MeddlingProxy } from './meddling_proxy.mjs'

const kApi = '/api/v1/media-management'
const kCuts = 20
const kKills = 5

/// One mediad, and after its death the next, on the same port and store.
class Mediad {
  #binary
  #folder
  #process
  port = 0

  constructor(binary, folder) {
    this.#binary = binary
    this.#folder = folder
  }

  get store() {
    return join(this.#folder, 'store')
  }

  async start() {
    const portFile = join(this.#folder, 'port')
    await rm(portFile, { force: true })
    const log = openSync(join(this.#folder, 'log'), 'a')
    this.#process = spawn(this.#binary, ['--port-file', portFile], {
      stdio: ['ignore', log, log],
      env: {
        ...process.env,
        RUN_MODE: 'local',
        MEDIA_SERVICE_SERVER_PORT: String(this.port),
        MEDIA_SERVICE_STORAGE_BASE_PATH: this.store,
        // A film is not decoded here; what is measured is the upload.
        MEDIA_SERVICE_PROCESSING_JOB_THREADS: '0'
      }
    })
    closeSync(log)
    for (let tries = 0; ; tries += 1) {
      assert.equal(this.#process.exitCode, null, 'mediad ended instead of starting')
      const said = await readFile(portFile, 'utf8').catch(() => '')
      if (said.endsWith('\n') || Number(said) > 0) {
        this.port = Number(said)
        return
      }
      assert.ok(tries < 1500, 'mediad does not start')
      await sleep(20)
    }
  }

  async end(signal) {
    if (!this.#process || this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.kill(signal)
    await ended
  }

  log() {
    return readFile(join(this.#folder, 'log'), 'utf8').catch(() => '')
  }
}

/// What the client asked and was told, held against what tus promises. The client takes an exception in here for a broken connection and
/// tries again, so faults are kept for the end.
class Witness {
  created = 0
  resumed = 0
  mediaId = ''
  faults = []
  #refusals
  #told = 0

  /// The request before one may have moved the offset since HEAD told it, or not have given way yet: the client asks again then.
  constructor(refusals = [409, 423]) {
    this.#refusals = refusals
  }

  options() {
    return {
      onBeforeRequest: (request) => {
        const offset = request.getHeader('Upload-Offset')
        if (request.getMethod() === 'PATCH' && Number(offset) !== this.#told) this.#fault(`a PATCH at ${offset}, not at ${this.#told}`)
      },
      onAfterResponse: (request, response) => {
        const method = request.getMethod()
        const status = response.getStatus()
        if (method === 'PATCH' && this.#refusals.includes(status)) return
        if (status >= 300) return this.#fault(`${method} was answered with ${status}: ${response.getBody()}`)
        if (method === 'POST') this.created += 1
        if (method === 'HEAD') this.resumed += 1
        const offset = Number(response.getHeader('Upload-Offset') ?? NaN)
        if (!(offset >= this.#told)) this.#fault(`an offset of ${this.#told} was told once, and ${offset} later`)
        this.#told = offset
        this.mediaId = response.getHeader('Media-Id') ?? this.mediaId
      }
    }
  }

  #fault(what) {
    this.faults.push(what)
  }
}

function upload(path, size, proxy, witness, chunkSize) {
  return new Promise((resolve, reject) => {
    const session = new Upload(createReadStream(path), {
      endpoint: `http://127.0.0.1:${proxy.port}${kApi}/uploads`,
      uploadSize: size,
      chunkSize,
      retryDelays: [20, 50, 100, 200, 400, 800, 1600, 3200],
      metadata: { filename: 'film.mp4', filetype: 'video/mp4' },
      onSuccess: resolve,
      onError: reject,
      ...witness.options()
    })
    session.start()
  })
}

async function open(url) {
  const [response] = await once(get(url), 'response')
  assert.equal(response.statusCode, 200, url)
  return response
}

async function digestOf(url) {
  const hash = createHash('sha256')
  for await (const piece of await open(url)) hash.update(piece)
  return hash.digest('hex')
}

async function jsonOf(url) {
  const pieces = []
  for await (const piece of await open(url)) pieces.push(piece)
  return JSON.parse(Buffer.concat(pieces).toString())
}

/// Every file below a folder, lock files aside; nothing where there is none.
async function filesIn(folder) {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const found = entries.map((entry) => {
    if (entry.isDirectory()) return filesIn(join(folder, entry.name))
    return entry.name.includes('lock') ? [] : [entry.name]
  })
  return (await Promise.all(found)).flat()
}

/// Calls `act(i)` as the upload passes the middle of each of `count` equal parts of the file; the position decides, not the clock.
function atEachPart(count, size, act) {
  let done = 0
  return (position, left) => {
    if (done === count || left === 0 || position < ((done + 0.5) * size) / count) return undefined
    done += 1
    return act(done)
  }
}

async function checkResult(mediad, witness, size, digest) {
  const api = `http://127.0.0.1:${mediad.port}${kApi}`
  assert.deepEqual(witness.faults, [])
  assert.equal(witness.created, 1, 'uploads that were begun')
  const { data } = await jsonOf(`${api}/media`)
  assert.deepEqual(data.map((media) => String(media.id)), [witness.mediaId], 'the one media is the one that the client was told of')
  assert.equal(data[0].content_hash, digest)
  assert.equal(data[0].file_size, size)
  assert.equal(data[0].original_filename, 'film.mp4')
  assert.equal(await digestOf(`${api}/media/${witness.mediaId}/download`), digest, 'SHA-256 of the download')
  assert.deepEqual(await filesIn(join(mediad.store, 'uploads')), [], 'left in the spool')
  assert.deepEqual(await filesIn(join(mediad.store, 'temp')), [], 'left in temp')
}

/// Connections break 20 times while bytes flow, and once more just when the server says that it has everything.
async function cuts(mediad, path, size, digest) {
  const kinds = ['close', 'reset', 'forsake']
  let cut = 0
  let answersLost = 0
  const meddle = {
    upload: atEachPart(kCuts, size, (i) => {
      cut = i
      return kinds[i % kinds.length]
    }),
    answer: (text) => {
      if (answersLost > 0 || !/^media-id:/im.test(text)) return undefined
      answersLost += 1
      return 'reset'
    }
  }
  const witness = new Witness()
  const proxy = await MeddlingProxy.start(mediad.port, meddle)
  try {
    await upload(path, size, proxy, witness, Infinity)
    assert.equal(cut, kCuts)
    assert.equal(answersLost, 1)
    assert.ok(witness.resumed > kCuts, `the upload was resumed ${witness.resumed} times only`)
    // Whoever asks for an upload's turn ends the request that still waits for a client that is gone.
    for (let tries = 0; proxy.forsaken.size > 0; tries += 1) {
      assert.ok(tries < 250, `${proxy.forsaken.size} connections without a client are still open`)
      await sleep(20)
    }
  } finally {
    proxy.stop()
  }
  await checkResult(mediad, witness, size, digest)
  return { interruptions: `${cut} cuts`, sent: proxy.uploadedBytes, witness }
}

/// mediad is killed five times while bytes flow, and once more while it makes the media of them.
async function kills(mediad, path, size, digest) {
  let killed = 0
  let restarted = Promise.resolve()
  let failed
  let last
  const kill = () => {
    killed += 1
    restarted = mediad.end('SIGKILL').then(() => mediad.start())
    restarted.catch((error) => (failed = error))
  }
  const between = atEachPart(kKills, size, kill)
  const meddle = {
    upload: (position, left) => {
      between(position, left)
      if (killed === kKills && position === size) last = setTimeout(kill, 30)
      return undefined
    },
    answer: () => undefined
  }
  const witness = new Witness()
  const proxy = await MeddlingProxy.start(mediad.port, meddle)
  try {
    // In chunks: what an answer to one of them said must hold after a kill.
    await upload(path, size, proxy, witness, 32 << 20)
    clearTimeout(last)
    await restarted
    if (failed) throw failed
    assert.ok(killed >= kKills, `killed ${killed} times only`)
    assert.ok(witness.resumed >= kKills, `the upload was resumed ${witness.resumed} times only`)
  } finally {
    proxy.stop()
  }
  await checkResult(mediad, witness, size, digest)
  return { interruptions: `${killed} kills`, sent: proxy.uploadedBytes, witness }
}

/// A connection on which nothing comes any more, as on a train in a tunnel, until mediad waits no longer.
async function stalls(mediad, path, size, digest) {
  let stalled = 0
  const meddle = {
    upload: atEachPart(1, size, (i) => {
      stalled = i
      return 'stall'
    }),
    answer: () => undefined
  }
  const witness = new Witness([503])
  const proxy = await MeddlingProxy.start(mediad.port, meddle)
  try {
    await upload(path, size, proxy, witness, Infinity)
    assert.equal(stalled, 1)
    assert.ok(witness.resumed >= stalled, 'the upload was not resumed')
  } finally {
    proxy.stop()
  }
  await checkResult(mediad, witness, size, digest)
  return { interruptions: `${stalled} stall`, sent: proxy.uploadedBytes, witness }
}

const [binary, what, bytes = '200000000'] = process.argv.slice(2)
const scenario = { cuts, kills, stalls }[what]
if (!scenario) {
  console.error('usage: node tus_upload.mjs MEDIAD cuts|kills|stalls [BYTES]')
  process.exit(2)
}
const size = Number(bytes)
const folder = await mkdtemp(join(tmpdir(), 'mediad-tus-'))
const mediad = new Mediad(binary, folder)
try {
  const film = join(folder, 'film.mp4')
  const digest = await writeFilm(film, size)
  await mediad.start()
  const begun = performance.now()
  const { interruptions, sent, witness } = await scenario(mediad, film, size, digest)
  // Resumed, not begun anew: with cuts or kills spread over the file, beginning anew would send many times its size.
  assert.ok(sent < 2 * size, `${sent} bytes were sent for a file of ${size}`)
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  console.log(`${what}: ${size} bytes, ${interruptions}, resumed ${witness.resumed} times, ${sent} bytes sent, ${seconds} s`)
} catch (error) {
  console.error(`${what}: ${error.stack ?? error}`)
  console.error((await mediad.log()).split('\n').slice(-30).join('\n'))
  process.exitCode = 1
} finally {
  await mediad.end('SIGKILL')
  await rm(folder, { recursive: true, force: true })
}
