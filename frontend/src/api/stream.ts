import type { BoardEvent, CallEvent, Topic } from './types'

export type Frame =
  | { topic: 'calls'; events: CallEvent[] }
  | { topic: 'messages'; events: BoardEvent[] }
  | { topic: 'gap'; topics: Topic[] }
  | { topic: 'end'; reason: 'session_ended' | 'shutdown' }

export interface StreamListener {
  opened(): void
  /** `id` is where a later stream resumes. */
  received(frame: Frame, id: string): void
  lost(): void
}

export type OpenStream = (resumeAt: string, listener: StreamListener) => () => void

const ADDRESS = '/api/live?topics=calls,messages'

/** Opens one event stream; the answer closes it. It never reconnects by itself. */
export const openStream: OpenStream = (resumeAt, listener) => {
  const resume = resumeAt ? `&last_event_id=${encodeURIComponent(resumeAt)}` : ''
  const source = new EventSource(ADDRESS + resume)
  const listen = (type: string, read: (data: unknown) => Frame) =>
    source.addEventListener(type, (event: MessageEvent<string>) =>
      listener.received(read(JSON.parse(event.data)), event.lastEventId),
    )
  listen('calls', (data) => ({ topic: 'calls', events: data as CallEvent[] }))
  listen('messages', (data) => ({ topic: 'messages', events: data as BoardEvent[] }))
  listen('gap', (data) => ({ topic: 'gap', ...(data as { topics: Topic[] }) }))
  listen('end', (data) => ({ topic: 'end', ...(data as { reason: 'session_ended' | 'shutdown' }) }))
  source.onopen = () => listener.opened()
  source.onerror = () => {
    source.close()
    listener.lost()
  }
  return () => source.close()
}
