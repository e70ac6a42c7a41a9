import { createEventHook, until } from '@vueuse/core'
import { computed, ref } from 'vue'
import { probe } from '@/api/client'
import { openStream, type Frame } from '@/api/stream'
import type { BoardEvent, CallEvent, Topic } from '@/api/types'
import { online } from '@/composables/useConnection'
import { keepConnected, type StreamState } from './connection'
import { elect, leadWhileVisible } from './leader'
import { RecentEvents } from './recent'

/** Where events go: one `apply` a topic, whichever tab they came through. */
export interface LiveFeed {
  messages(events: BoardEvent[]): void
  calls(events: CallEvent[]): void
  reread(topics: Topic[]): void
  sessionEnded(): void
}

type Note =
  | { kind: 'frame'; frame: Frame; id: string }
  | { kind: 'state'; state: StreamState }
  | { kind: 'fresh' }
  | { kind: 'hello' }

const TOPICS: Topic[] = ['calls', 'messages']
const POLL_MS = 5_000
const SETTLE_MS = 400

const stream = ref<StreamState>('connecting')
export const recentBoardEvents = new RecentEvents<BoardEvent>()
export const recentCallEvents = new RecentEvents<CallEvent>(2_000)

/** Before that nothing was read that could be missing something. */
let hasBegun = false

/** For what only counts the calls that arrive, such as a page of history. */
const callsArrived = createEventHook<[CallEvent[]]>()
export const onCallsArrived = callsArrived.on

/** `connected`, `catching_up` (reconnecting or polling) or `offline`. */
const state = computed(() => {
  if (!online.value) return 'offline' as const
  return stream.value === 'connected' ? ('connected' as const) : ('catching_up' as const)
})

/** For `refetchInterval`: lists are re-read only while the stream is not there. */
const pollMs = computed(() => (stream.value === 'polling' && online.value ? POLL_MS : false))

export function useLive() {
  return { state, pollMs }
}

/**
 * Waits for the stream to be there, or for it to be clear that it will take a while. A list that
 * is read after this misses no event: what the stream brings joins it.
 */
export async function streamSettled(): Promise<void> {
  await until(stream).not.toBe('connecting', { timeout: SETTLE_MS })
}

/** Begins to feed `feed` from the browser's one stream; the answer ends it. */
export function startLive(feed: LiveFeed): () => void {
  const locks = typeof navigator.locks === 'object' ? navigator.locks : null
  const channel = locks ? new BroadcastChannel('madang-live') : null
  let position = ''
  stream.value = 'connecting'

  const take = (note: Note) => {
    if (note.kind === 'frame') {
      position = note.id || position
      deliver(note.frame, feed)
    } else if (note.kind === 'state') heard(note.state)
    else if (note.kind === 'fresh') missed(TOPICS, feed)
  }
  const tell = (note: Note) => {
    take(note)
    channel?.postMessage(note)
  }
  const lead = () => leadWith(tell, channel, () => position)

  channel?.addEventListener('message', ({ data }: MessageEvent<Note>) => take(data))
  channel?.postMessage({ kind: 'hello' } satisfies Note)
  const resign = locks ? elect(locks, lead) : leadWhileVisible(document, lead)
  return () => {
    resign()
    channel?.close()
  }
}

function leadWith(tell: (note: Note) => void, channel: BroadcastChannel | null, position: () => string) {
  const greet = ({ data }: MessageEvent<Note>) => {
    if (data.kind === 'hello') channel?.postMessage({ kind: 'state', state: stream.value } satisfies Note)
  }
  channel?.addEventListener('message', greet)
  const disconnect = keepConnected(
    openStream,
    {
      state: (state) => tell({ kind: 'state', state }),
      received: (frame, id) => tell({ kind: 'frame', frame, id }),
      freshStart: () => tell({ kind: 'fresh' }),
    },
    position(),
  )
  return () => {
    channel?.removeEventListener('message', greet)
    disconnect()
  }
}

/** A stream that stays away may be the first sign that the whole server is. */
function heard(state: StreamState) {
  stream.value = state
  if (state === 'polling') void probe()
}

function deliver(frame: Frame, feed: LiveFeed) {
  if (frame.topic === 'messages') {
    recentBoardEvents.add(frame.events)
    feed.messages(frame.events)
  } else if (frame.topic === 'calls') {
    recentCallEvents.add(frame.events)
    feed.calls(frame.events)
    void callsArrived.trigger(frame.events)
  } else if (frame.topic === 'gap') missed(frame.topics, feed)
  else if (frame.reason === 'session_ended') feed.sessionEnded()
}

function missed(topics: Topic[], feed: LiveFeed) {
  if (hasBegun && topics.includes('calls')) recentCallEvents.interrupt()
  hasBegun = true
  feed.reread(topics)
}
