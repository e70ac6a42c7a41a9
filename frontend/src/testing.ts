import type { CallEvent, Message, MessagePage } from '@/api/types'

/** Small builders for tests: say what matters, get the rest. */
export function aMessage(given: Partial<Message> = {}): Message {
  return {
    id: 1,
    body: 'text',
    author: { username: 'someone', display_name: 'Someone' },
    created_at: '2026-01-01T00:00:00Z',
    edited_at: null,
    call_id: null,
    ...given,
  }
}

export function aPage(ids: number[], given: Partial<MessagePage> = {}): MessagePage {
  const items = ids.map((id) => aMessage({ id }))
  return { items, total: ids.length, total_exact: true, next_cursor: null, ...given }
}

export function aCall(given: Partial<CallEvent> = {}): CallEvent {
  return {
    id: '01900000-0000-7000-8000-000000000001',
    timestamp: '2026-01-01T00:00:00.000001Z',
    service_name: 'madang-api',
    instance: 'one',
    method: 'GET',
    endpoint: '/api/messages',
    path: '/api/messages',
    status: 200,
    duration_us: 900,
    user_id: null,
    trace_id: null,
    message: 'GET /api/messages 200',
    schema: 1,
    ...given,
  }
}
