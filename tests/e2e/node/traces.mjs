// What mediad tells a collector of OpenTelemetry: one trace from a request through the store and the catalog to the job and its encodings.
//   node traces.mjs MEDIAD
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32, deflateSync } from './png.mjs'
import { OtlpReceiver } from './otlp_receiver.mjs'

const [binary] = process.argv.slice(2)
const kApi = '/api/v1/media-management'

function png(width, height, seed) {
  const rows = Buffer.alloc((3 * width + 1) * height)
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < 3 * width; x += 1) rows[y * (3 * width + 1) + 1 + x] = (x * 7 + y * 13 + seed) & 255
  }
  const chunk = (type, data) => {
    const out = Buffer.alloc(12 + data.length)
    out.writeUInt32BE(data.length, 0)
    out.write(type, 4, 'latin1')
    data.copy(out, 8)
    out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length)
    return out
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([8, 2, 0, 0, 0], 8)
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0))
  ])
}

async function until(what, condition, seconds = 20) {
  for (let tries = 0; tries < seconds * 20; tries += 1) {
    if (await condition()) return
    await sleep(50)
  }
  assert.fail(`not within ${seconds} s: ${what}`)
}

class Mediad {
  log = ''

  static async start(folder, settings) {
    const mediad = new Mediad()
    const portFile = join(folder, 'port')
    await rm(portFile, { force: true })
    mediad.process = spawn(binary, ['--port-file', portFile], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        RUN_MODE: 'local',
        MEDIA_SERVICE_SERVER_PORT: '0',
        MEDIA_SERVICE_STORAGE_BASE_PATH: join(folder, 'store'),
        MEDIA_SERVICE_LOGGING_CONSOLE_FORMAT: 'json',
        ...settings
      }
    })
    mediad.process.stdout.on('data', (piece) => (mediad.log += piece))
    await until('mediad starts', async () => Number(await readFile(portFile, 'utf8').catch(() => '')) > 0)
    mediad.base = `http://127.0.0.1:${Number(await readFile(portFile, 'utf8'))}`
    return mediad
  }

  ask(path, options) {
    return fetch(this.base + path, options)
  }

  async upload(name, bytes, headers = {}) {
    const answer = await this.ask(`${kApi}/media`, { method: 'POST', body: bytes, headers: { 'Content-Type': 'image/png', 'X-Filename': name, ...headers } })
    assert.equal(answer.status, 200)
    return { id: (await answer.json()).media_id, traceparent: answer.headers.get('traceparent') }
  }

  async stop() {
    const ended = once(this.process, 'exit')
    this.process.kill('SIGTERM')
    await ended
  }
}

const named = (spans, name) => {
  const found = spans.filter((span) => span.name === name)
  assert.ok(found.length > 0, `there is no span ${name} among ${spans.map((span) => span.name)}`)
  return found[0]
}
const attribute = (span, key) => Object.values(span.attributes.find((each) => each.key === key).value)[0]

/// Every span but the first stands on one that is there too, and steps lie within their parents.
function joinsUp(spans, outside) {
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  assert.equal(byId.size, spans.length, 'a span came twice')
  for (const span of spans) {
    assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano))
    if (span.parentSpanId === outside) continue
    const parent = byId.get(span.parentSpanId)
    assert.ok(parent, `the parent of ${span.name} is missing`)
    if (span.kind !== 1) continue
    assert.ok(BigInt(span.startTimeUnixNano) >= BigInt(parent.startTimeUnixNano), `${span.name} begins before ${parent.name}`)
  }
}

const folder = await mkdtemp(join(tmpdir(), 'mediad-traces-'))
const receiver = new OtlpReceiver()
let mediad
try {
  const endpoint = await receiver.start()
  mediad = await Mediad.start(folder, { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: 'pictures' })

  // A trace that began elsewhere goes on here, through the job.
  const trace = '0af7651916cd43dd8448eb211c80319c'
  const caller = 'b7ad6b7169203331'
  receiver.refusals.push(503, 429)  // The collector is away for a moment.
  const { id, traceparent } = await mediad.upload('one.png', png(900, 700, 1), { traceparent: `00-${trace}-${caller}-01` })
  const status = await (await mediad.ask(`${kApi}/media/${id}/status?wait=20`)).json()
  const ofTrace = (wanted) => receiver.spans.filter((span) => span.traceId === wanted)
  await until('the job is told of', () => ofTrace(trace).some((span) => span.name === 'job derive'))
  const spans = ofTrace(trace)
  joinsUp(spans, caller)
  const request = named(spans, `POST ${kApi}/media`)
  assert.equal(request.kind, 2)
  assert.equal(request.parentSpanId, caller)
  assert.equal(attribute(request, 'http.response.status_code'), '200')
  assert.equal(traceparent, `00-${trace}-${request.spanId}-01`)
  const keep = named(spans, 'media.keep')
  assert.equal(keep.parentSpanId, request.spanId)
  assert.equal(named(spans, 'media.admit').parentSpanId, request.spanId)
  assert.equal(named(spans, 'store.publish').parentSpanId, keep.spanId)
  const job = named(spans, 'job derive')
  assert.equal(job.kind, 5)
  assert.equal(job.parentSpanId, request.spanId)
  assert.equal(attribute(job, 'media.id'), String(id))
  assert.equal(named(spans, 'media.derive').parentSpanId, job.spanId)
  assert.ok(spans.some((span) => span.name === 'catalog.write' && span.parentSpanId === keep.spanId))
  assert.ok(spans.some((span) => span.name === 'catalog.write' && span.parentSpanId === job.spanId))
  assert.equal(status.status ?? status.processing_status, 'Complete')
  assert.ok(receiver.posts > 2)
  assert.deepEqual(attributeOf(receiver.resources[0], 'service.name'), 'pictures')
  await until('the log names the trace', () => mediad.log.includes(`"trace_id":"${trace}"`))

  // A picture that is made while its client waits is a part of the client's trace.
  const second = 'aaaabbbbccccddddeeeeffff00001111'
  const picture = await mediad.ask(`${kApi}/media/${id}/image?h=320&format=webp`, { headers: { traceparent: `00-${second}-${caller}-01` } })
  await picture.arrayBuffer()
  assert.equal(picture.status, 200)
  await until('the picture is told of', () => {
    const names = ofTrace(second).map((span) => span.name)
    return names.includes('media.derive') && names.some((name) => name.startsWith('GET ')) && names.includes('store.publish')
  })
  joinsUp(ofTrace(second), caller)

  // Whoever does not sample is not traced, and a trace of our own begins where nobody asks.
  const quiet = '11112222333344445555666677778888'
  const unsampled = await mediad.upload('two.png', png(300, 300, 2), { traceparent: `00-${quiet}-${caller}-00` })
  assert.match(unsampled.traceparent, new RegExp(`^00-${quiet}-[0-9a-f]{16}-00$`))
  const own = await mediad.upload('three.png', png(300, 200, 3))
  const ownTrace = own.traceparent.split('-')[1]
  assert.equal((await mediad.ask(`${kApi}/ready`)).status, 200)
  await until('its own trace is told of', () => ofTrace(ownTrace).some((span) => span.name === 'job derive'))
  joinsUp(ofTrace(ownTrace), undefined)
  assert.equal(ofTrace(quiet).length, 0)
  assert.ok(!receiver.spans.some((span) => /\/(live|ready|health|metrics)$/.test(span.name)), 'a probe was traced')

  // What fails is seen to fail, and where.
  const broken = png(500, 400, 7)
  broken.fill(0x55, broken.length / 2, broken.length - 20)
  const failing = await mediad.upload('broken.png', broken)
  const failed = failing.traceparent.split('-')[1]
  await until('the failure is told of', () => ofTrace(failed).some((span) => span.name === 'job derive'))
  assert.equal(named(ofTrace(failed), 'media.derive').status?.code, 2)
  assert.equal(named(ofTrace(failed), 'media.keep').status, undefined)
  const metrics = await (await mediad.ask('/metrics')).text()
  assert.match(metrics, /^media_trace_spans_total\{outcome="sent"\} [1-9]/m)
  assert.match(metrics, /^media_trace_spans_total\{outcome="dropped"\} 0$/m)
  assert.deepEqual(receiver.faults, [])

  // A collector that is gone costs requests nothing, and its spans are counted.
  receiver.stop()
  const begun = Date.now()
  await mediad.upload('four.png', png(200, 200, 4))
  assert.ok(Date.now() - begun < 5000)
  await until('the loss is counted', async () => !/^media_trace_spans_total\{outcome="dropped"\} 0$/m.test(await (await mediad.ask('/metrics')).text()))
  assert.ok(mediad.log.includes('traces do not get through'))
  const stopping = Date.now()
  await mediad.stop()
  assert.ok(Date.now() - stopping < 8000)

  // Nor one that takes connections and says nothing, when the process stops.
  const mute = createServer(() => {})
  mute.listen(0, '127.0.0.1')
  await once(mute, 'listening')
  mediad = await Mediad.start(folder, { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${mute.address().port}` })
  for (let i = 0; i < 1200; i += 1) await (await mediad.ask(`${kApi}/media/${id}`)).arrayBuffer()
  const halting = Date.now()
  await mediad.stop()
  assert.ok(Date.now() - halting < 15000, `it took ${Date.now() - halting} ms to stop`)
  mute.close()

  // A stranger chooses neither the trace nor whether it is recorded.
  const stranger = new OtlpReceiver()
  mediad = await Mediad.start(folder, {
    OTEL_EXPORTER_OTLP_ENDPOINT: await stranger.start(),
    JWT_SECRET: 'a-secret-of-this-test-that-is-long-enough-0123456789',
    MEDIA_SERVICE_MIDDLEWARE_AUTH_ENABLED: 'true'
  })
  const refused = await mediad.ask(`${kApi}/media/${id}`, { headers: { traceparent: `00-${trace}-${caller}-01` } })
  assert.equal(refused.status, 401)
  await until('the refusal is told of', () => stranger.spans.length > 0)
  assert.ok(stranger.spans.every((span) => span.traceId !== trace))
  await mediad.stop()
  stranger.stop()

  // None of the traces that begin here.
  const silent = new OtlpReceiver()
  mediad = await Mediad.start(folder, { OTEL_EXPORTER_OTLP_ENDPOINT: `${await silent.start()}/`, OTEL_TRACES_SAMPLER_ARG: '0' })
  await mediad.upload('five.png', png(210, 200, 5))
  await mediad.upload('six.png', png(220, 200, 6), { traceparent: `00-${trace}-${caller}-01` })
  await until('what is asked for is told of', () => silent.spans.some((span) => span.name === 'job derive'))
  await mediad.stop()
  assert.ok(silent.spans.every((span) => span.traceId === trace))
  assert.deepEqual(silent.faults, [])
  silent.stop()
  console.log(`ok: ${spans.length} spans in the first trace, ${receiver.spans.length} in all`)
} finally {
  mediad?.process.kill('SIGKILL')
  receiver.stop()
  await rm(folder, { recursive: true, force: true })
}

function attributeOf(resource, key) {
  return resource.attributes.find((each) => each.key === key).value.stringValue
}
