// A collector that knows OTLP by the definitions of OpenTelemetry's own package, and takes nothing that they do not have.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const root = require('@opentelemetry/otlp-transformer/build/src/generated/root.js')
const Export = root.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest

const kIds = { traceId: 16, spanId: 8, parentSpanId: 8 }

/// In JSON ids are hexadecimal, in the definitions bytes.
function withBytes(span) {
  const out = { ...span }
  for (const [name, bytes] of Object.entries(kIds)) {
    if (!(name in out)) continue
    assert.match(out[name], new RegExp(`^[0-9a-f]{${2 * bytes}}$`), name)
    out[name] = Buffer.from(out[name], 'hex')
  }
  return out
}

function withHex(span) {
  const out = { ...span }
  for (const name of Object.keys(kIds)) if (name in out) out[name] = Buffer.from(out[name], 'base64').toString('hex')
  return out
}

const mapSpans = (body, change) => ({
  ...body,
  resourceSpans: body.resourceSpans.map((resource) => ({
    ...resource,
    scopeSpans: resource.scopeSpans.map((scope) => ({ ...scope, spans: scope.spans.map(change) }))
  }))
})

export class OtlpReceiver {
  #server = createServer((request, response) => this.#take(request, response))
  /// Statuses to answer with before anything is taken.
  refusals = []
  posts = 0
  spans = []
  resources = []
  faults = []

  async start() {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${this.#server.address().port}`
  }

  stop() {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #take(request, response) {
    const pieces = []
    for await (const piece of request) pieces.push(piece)
    this.posts += 1
    const refusal = this.refusals.shift()
    if (refusal) return response.writeHead(refusal).end()
    try {
      assert.equal(request.method, 'POST')
      assert.equal(request.url, '/v1/traces')
      assert.equal(request.headers['content-type'], 'application/json')
      const body = JSON.parse(Buffer.concat(pieces).toString('utf8'))
      const message = Export.fromObject(mapSpans(body, withBytes))
      assert.equal(Export.verify(message), null)
      // Over the wire and back: a field that the definitions do not have is lost on the way, one of another type comes back as another.
      const again = Export.toObject(Export.decode(Export.encode(message).finish()), { longs: String, bytes: String, enums: Number })
      assert.deepEqual(mapSpans(again, withHex), body)
      for (const resource of body.resourceSpans) {
        this.resources.push(resource.resource)
        for (const scope of resource.scopeSpans) this.spans.push(...scope.spans)
      }
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}')
    } catch (error) {
      this.faults.push(error)
      response.writeHead(400).end()
    }
  }
}
