import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Frame, OpenStream, StreamListener } from '@/api/stream'
import { keepConnected, type StreamState } from './connection'

/** A server whose streams the test opens, feeds and breaks. */
function aServer() {
  const opened: { resumeAt: string; listener: StreamListener; closed: boolean }[] = []
  const open: OpenStream = (resumeAt, listener) => {
    const stream = { resumeAt, listener, closed: false }
    opened.push(stream)
    return () => (stream.closed = true)
  }
  const last = () => opened[opened.length - 1]!
  return { open, opened, last }
}

function aListener() {
  const states: StreamState[] = []
  const frames: Frame[] = []
  let freshStarts = 0
  return {
    states,
    frames,
    freshStarts: () => freshStarts,
    state: (state: StreamState) => states.push(state),
    received: (frame: Frame) => frames.push(frame),
    freshStart: () => (freshStarts += 1),
  }
}

const frame: Frame = { topic: 'messages', events: [{ type: 'deleted', id: 7 }] }

describe('keepConnected', () => {
  beforeEach(() => vi.useFakeTimers())
  afterEach(() => vi.useRealTimers())

  it('asks for a re-read when a stream begins from nowhere, and not when it resumes', () => {
    const server = aServer()
    const heard = aListener()
    keepConnected(server.open, heard)
    server.last().listener.opened()
    server.last().listener.received(frame, 'messages=7')
    server.last().listener.lost()
    vi.advanceTimersByTime(500)
    server.last().listener.opened()

    expect(server.last().resumeAt).toBe('messages=7')
    expect(heard.freshStarts()).toBe(1)
    expect(heard.frames).toEqual([frame])
  })

  it('says polling after the second failure, and connected when the stream is back', () => {
    const server = aServer()
    const heard = aListener()
    keepConnected(server.open, heard, '', () => 1)
    server.last().listener.lost()
    vi.advanceTimersByTime(500)
    server.last().listener.lost()
    vi.advanceTimersByTime(1_000)
    server.last().listener.opened()

    expect(heard.states).toEqual(['connecting', 'polling', 'connected'])
    expect(server.opened).toHaveLength(3)
  })

  it('comes back after a shutdown, and not after the end of the session', () => {
    const server = aServer()
    keepConnected(server.open, aListener())
    server.last().listener.received({ topic: 'end', reason: 'shutdown' }, '')
    vi.advanceTimersByTime(60_000)
    expect(server.opened).toHaveLength(2)

    server.last().listener.received({ topic: 'end', reason: 'session_ended' }, '')
    vi.advanceTimersByTime(60_000)
    expect(server.opened).toHaveLength(2)
    expect(server.last().closed).toBe(true)
  })

  it('opens nothing more once it was stopped', () => {
    const server = aServer()
    const stop = keepConnected(server.open, aListener())
    server.last().listener.lost()
    stop()
    vi.advanceTimersByTime(60_000)
    expect(server.opened).toHaveLength(1)
    expect(server.last().closed).toBe(true)
  })
})
