// A TCP proxy on loopback that reads along, and spoils connections where it is told to.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/// Follows the requests of one connection. For each piece of a PATCH body it tells where in the file the piece ends.
class RequestReader {
  #head = Buffer.alloc(0)
  #bodyLeft = 0
  #position = -1 // -1: not in a PATCH

  /// `onUpload(position, bytes, left)`
  constructor(onUpload) {
    this.onUpload = onUpload
  }

  read(data) {
    while (data.length > 0) {
      if (this.#bodyLeft > 0) {
        const piece = data.subarray(0, this.#bodyLeft)
        data = data.subarray(piece.length)
        this.#bodyLeft -= piece.length
        if (this.#position >= 0) this.onUpload((this.#position += piece.length), piece.length, this.#bodyLeft)
        continue
      }
      this.#head = Buffer.concat([this.#head, data])
      const end = this.#head.indexOf('\r\n\r\n')
      if (end < 0) return
      const head = this.#head.toString('latin1', 0, end)
      data = this.#head.subarray(end + 4)
      this.#head = Buffer.alloc(0)
      this.#bodyLeft = Number(/^content-length: *(\d+)$/im.exec(head)?.[1] ?? 0)
      this.#position = head.startsWith('PATCH ') ? Number(/^upload-offset: *(\d+)$/im.exec(head)[1]) : -1
    }
  }
}

export class MeddlingProxy {
  /// Bytes of PATCH bodies that clients have sent, those that were lost on the way included.
  uploadedBytes = 0
  /// Connections whose client is gone, and which the server has not been told about.
  forsaken = new Set()
  #server
  #sockets = new Set()

  /// `meddle.upload(position, left)` is asked after each piece of a PATCH body, `meddle.answer(text)` before each piece of an answer.
  /// What they return is done to the connection: 'close', 'reset', 'forsake' (the client is cut off, and the server hears nothing of
  /// it), 'stall' (nothing of what the client sends is passed on any more), or nothing.
  static async start(upstreamPort, meddle) {
    const proxy = new MeddlingProxy()
    proxy.#server = createServer((client) => proxy.#serve(client, upstreamPort, meddle))
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port() {
    return this.#server.address().port
  }

  stop() {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #serve(client, upstreamPort, meddle) {
    const upstream = connect(upstreamPort, '127.0.0.1')
    let severed = false
    const sever = (how) => {
      severed = true
      if (how === 'close') {
        upstream.end()
        client.destroy()
      } else {
        client.resetAndDestroy()
        if (how === 'reset') upstream.resetAndDestroy()
        else this.forsaken.add(upstream)
      }
    }
    let wish
    const reader = new RequestReader((position, bytes, left) => {
      this.uploadedBytes += bytes
      wish ??= meddle.upload(position, left)
    })
    client.on('data', (data) => {
      reader.read(data)
      // Cut in the middle of what came, not between two pieces of the client's.
      const sent = upstream.write(wish ? data.subarray(0, data.length / 2) : data)
      if (wish === 'stall') client.pause()
      else if (wish) sever(wish)
      else if (!sent) client.pause()
    })
    upstream.on('drain', () => wish ?? client.resume())
    upstream.on('data', (data) => {
      if (severed) return
      const how = meddle.answer(data.toString('latin1'))
      if (how) sever(how)
      else client.write(data)
    })
    for (const [here, there] of [[client, upstream], [upstream, client]]) {
      this.#sockets.add(here)
      here.setNoDelay()
      here.on('error', () => {}) // 'close' follows
      here.on('end', () => severed || there.end())
      here.on('close', () => {
        this.#sockets.delete(here)
        this.forsaken.delete(here)
        if (!severed) there.destroy()
      })
    }
  }
}
