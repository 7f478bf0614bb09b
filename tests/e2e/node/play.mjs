// A page in Chromium plays and seeks what mediad delivers: the MP4 whose index was behind its frames, the H.264 and the VP9 that were
// encoded, and a GIF that became an MP4: play.mjs MEDIAD CHROMIUM SCREENSHOT_FOLDER. The screenshots stay.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { chromium } from 'playwright-core'

const [mediad, browserPath, pictures] = process.argv.slice(2)
const kApi = '/api/v1/media-management'
const folder = mkdtempSync(join(tmpdir(), 'mediad-play-'))
mkdirSync(pictures, { recursive: true })

const film = (name, ...coding) => {
  const path = join(folder, name)
  execFileSync('ffmpeg', ['-v', 'error', '-nostdin', '-f', 'lavfi', '-i', 'testsrc2=s=640x360:r=25:d=20', ...coding, path])
  return path
}

const portFile = join(folder, 'port')
const server = spawn(mediad, ['--port-file', portFile], {
  env: { ...process.env, RUN_MODE: 'local', MEDIA_SERVICE_SERVER_PORT: '0', MEDIA_SERVICE_STORAGE_BASE_PATH: join(folder, 'store'), MEDIA_SERVICE_LOGGING_LEVEL: 'warn' },
  stdio: ['ignore', 'inherit', 'inherit'],
})
let browser
let page
try {
  for (let i = 0; i < 200 && !(existsSync(portFile) && readFileSync(portFile, 'utf8').trim()); ++i) await sleep(50)
  const base = `http://127.0.0.1:${readFileSync(portFile, 'utf8').trim()}${kApi}`

  const upload = async (path, type) => {
    const answer = await fetch(`${base}/media`, { method: 'POST', body: readFileSync(path), headers: { 'Content-Type': type, 'X-Filename': path.split('/').pop() } })
    assert.equal(answer.status, 200)
    const { id } = await answer.json()
    for (;;) {
      const status = await (await fetch(`${base}/media/${id}/status?wait=10`)).json()
      if (status.status !== 'Processing') return id
    }
  }
  /// Has a video encoded and sees it through; its progress only rises, and ends at 100.
  const encode = async (id, format) => {
    const ordered = await fetch(`${base}/media/${id}/videos`, { method: 'POST', body: JSON.stringify({ format }), headers: { 'Content-Type': 'application/json' } })
    assert.equal(ordered.status, 202, await ordered.clone().text())
    const seen = []
    for (;;) {
      const video = (await (await fetch(`${base}/media/${id}/videos`)).json()).data.find((each) => each.format === format && !each.transform.includes('keep'))
      assert.notEqual(video.state, 'failed', video.error_message)
      assert.ok(seen.length === 0 || video.progress >= seen.at(-1), `progress fell: ${[...seen, video.progress]}`)
      seen.push(video.progress)
      if (video.state === 'ready') {
        assert.equal(video.progress, 100)
        return video.url
      }
      await sleep(100)
    }
  }

  const id = await upload(film('late-index.mp4', '-f', 'lavfi', '-i', 'sine=d=20', '-c:v', 'libx264', '-g', '50', '-pix_fmt', 'yuv420p', '-c:a', 'aac'), 'video/mp4')
  const gif = join(folder, 'moving.gif')
  execFileSync('ffmpeg', ['-v', 'error', '-nostdin', '-f', 'lavfi', '-i', 'testsrc2=s=160x120:r=10:d=4', gif])
  const gifId = await upload(gif, 'image/gif')
  const sources = {
    faststart: { url: `${base}/media/${id}/video?format=mp4&codecs=keep`, seconds: 20 },
    mp4: { url: await encode(id, 'mp4'), seconds: 20 },
    webm: { url: await encode(id, 'webm'), seconds: 20 },
    gif: { url: await encode(gifId, 'mp4'), seconds: 4 },
  }

  browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--disable-dev-shm-usage', '--disable-gpu'] })
  page = await browser.newPage()
  // A page of somebody's own, from another origin.
  const site = createServer((_, reply) => reply.setHeader('Content-Type', 'text/html').end('<!doctype html><title>film</title><video muted playsinline controls width=640></video>'))
  await new Promise((ready) => site.listen(0, '127.0.0.1', ready))
  try {
    for (const [name, { url, seconds }] of Object.entries(sources)) {
      const ranges = []
      const watch = (response) => {
        if (response.url().split('?')[0] === url.split('?')[0]) ranges.push([response.status(), response.request().headers().range ?? ''])
      }
      page.on('response', watch)
      await page.goto(`http://127.0.0.1:${site.address().port}/`)
      const told = await page.evaluate(async ({ url, seconds }) => {
        const video = document.querySelector('video')
        const happens = (event) => new Promise((done, fail) => {
          const late = setTimeout(() => fail(new Error(`no ${event} in time`)), 30_000)
          video.addEventListener(event, () => { clearTimeout(late); done() }, { once: true })
          video.addEventListener('error', () => { clearTimeout(late); fail(new Error(video.error?.message ?? 'error')) }, { once: true })
        })
        const metadata = happens('loadedmetadata')
        video.src = url
        await metadata
        const playing = happens('timeupdate')
        await video.play()
        await playing
        while (video.currentTime < 0.3) await happens('timeupdate')
        const played = video.currentTime
        video.pause()
        const places = []
        for (const share of [0.8, 0.25, 0.5]) {
          const sought = happens('seeked')
          video.currentTime = seconds * share
          await sought
          places.push(video.currentTime)
        }
        return { duration: video.duration, width: video.videoWidth, height: video.videoHeight, played, places, state: video.readyState }
      }, { url, seconds })
      await page.screenshot({ path: join(pictures, `play-${name}.png`) })
      page.off('response', watch)
      assert.ok(Math.abs(told.duration - seconds) < 0.15, `${name}: ${JSON.stringify(told)}`)
      assert.ok(told.played >= 0.3, name)
      assert.deepEqual(told.places.map((place) => Math.round(place * 100) / 100), [0.8, 0.25, 0.5].map((share) => seconds * share), name)
      assert.ok(told.state >= 2, name)
      assert.ok(ranges.length > 0 && ranges.every(([status, range]) => status === 206 && range.startsWith('bytes=')), `${name}: ${JSON.stringify(ranges)}`)
      console.log(`${name}: ${told.width}x${told.height}, ${told.duration.toFixed(2)} s, sought to ${told.places}, ${ranges.length} range requests`)
    }
  } finally {
    site.close()
  }
} finally {
  await browser?.close()
  server.kill('SIGTERM')
  await new Promise((ended) => (server.exitCode !== null ? ended() : server.once('exit', ended)))
  rmSync(folder, { recursive: true, force: true })
}
