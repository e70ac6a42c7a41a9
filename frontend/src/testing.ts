import type { CallEvent, ListedProcess, Message, MessagePage, SystemState } from '@/api/types'

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

export function aProcess(given: Partial<ListedProcess> = {}): ListedProcess {
  return {
    service_name: 'madang-ship',
    instance: 'one',
    version: '0.1.0',
    started_at: '2026-01-01T00:00:00.000000Z',
    reported_at: '2026-01-01T01:00:00.000000Z',
    status: 'ok',
    checks: {},
    figures: {},
    silent: false,
    ...given,
  }
}

export function aSystem(given: Partial<SystemState> = {}): SystemState {
  return {
    at: '2026-01-01T01:00:00.000000Z',
    versions: { madang: '0.1.0', python: '3.11', database: 'MariaDB', redis: '7' },
    dependencies: {},
    processes: [],
    missing: [],
    spool: {
      spools: 1,
      total_bytes: 64,
      limit_bytes: 1000,
      unsent_bytes: 0,
      oldest_unsent_at: null,
      unrecorded: 0,
      refused: 0,
      torn: 0,
      unreadable: 0,
    },
    history: {
      lag_messages: 0,
      last_recorded_at: null,
      lost: 0,
      rejected: 0,
      rejected_exact: true,
      newest_rejected: [],
    },
    ...given,
  }
}
