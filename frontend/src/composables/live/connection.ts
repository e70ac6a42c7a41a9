import type { Frame, OpenStream } from '@/api/stream'
import { backoffMs } from './backoff'

/** `polling`: the stream failed so often that lists should be re-read meanwhile. */
export type StreamState = 'connecting' | 'connected' | 'polling'

export interface ConnectionListener {
  state(state: StreamState): void
  received(frame: Frame, id: string): void
  /** A stream began without a place to resume from: what was read before may be old. */
  freshStart(): void
}

const FAILURES_BEFORE_POLLING = 2

/** Keeps one stream open, reconnecting with jittered backoff, until the answer is called. */
export function keepConnected(
  open: OpenStream,
  listener: ConnectionListener,
  resumeAt = '',
  random = Math.random,
): () => void {
  let position = resumeAt
  let failures = 0
  let close = () => {}
  let timer: ReturnType<typeof setTimeout> | undefined

  function connect() {
    close = open(position, {
      opened() {
        failures = 0
        listener.state('connected')
        if (!position) listener.freshStart()
      },
      received(frame, id) {
        position = id || position
        listener.received(frame, id)
        if (frame.topic === 'end') ended(frame.reason)
      },
      lost: () => retry(),
    })
  }

  function ended(reason: string) {
    close()
    if (reason === 'shutdown') retry()
  }

  function retry() {
    failures += 1
    listener.state(failures >= FAILURES_BEFORE_POLLING ? 'polling' : 'connecting')
    timer = setTimeout(connect, backoffMs(failures - 1, random))
  }

  connect()
  return () => {
    clearTimeout(timer)
    close()
  }
}
