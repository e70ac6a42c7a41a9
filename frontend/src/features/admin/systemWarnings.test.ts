import { describe, expect, it } from 'vitest'
import type { SystemState } from '@/api/types'
import { aProcess, aSystem } from '@/testing'
import { systemWarnings } from './systemWarnings'

const kinds = (given: Partial<SystemState>) => systemWarnings(aSystem(given)).map(({ kind }) => kind)
const { spool, history } = aSystem()
const down = { status: 'unavailable', detail: 'gone', latency_ms: null } as const

describe('systemWarnings', () => {
  it('has none where all is well', () => {
    expect(kinds({ processes: [aProcess()], dependencies: { redis: { status: 'ok' } } })).toEqual([])
  })

  it('tells of a dependency that is down, or of which nobody tells', () => {
    expect(kinds({ dependencies: { redis: down, kafka: { status: 'unknown' } } })).toEqual([
      'dependency',
      'unknown',
    ])
  })

  it('says once that a service is gone: silent where it was heard of, else missing', () => {
    const silent = aProcess({ silent: true, reported_at: '2026-01-01T00:59:53.000000Z' })
    expect(systemWarnings(aSystem({ missing: ['madang-ship'], processes: [silent] }))).toEqual([
      { kind: 'silent', service: 'madang-ship', instance: 'one', seconds: 7 },
    ])
    expect(kinds({ missing: ['madang-ship'] })).toEqual(['missing'])
  })

  it('tells what one process cannot reach, unless nothing can', () => {
    const process = aProcess({ checks: { database: down } })
    expect(kinds({ processes: [process], dependencies: { database: { status: 'ok' } } })).toEqual(['check'])
    expect(kinds({ processes: [process], dependencies: { database: down } })).toEqual(['dependency'])
  })

  it('does not repeat the last words of a silent process', () => {
    expect(kinds({ processes: [aProcess({ silent: true, checks: { kafka: down } })] })).toEqual(['silent'])
  })

  it.each([
    ['2026-01-01T00:59:51.000000Z', []],
    ['2026-01-01T00:59:49.000000Z', ['unsent']],
  ])('waits ten seconds before it tells of an unsent call (%s)', (oldest_unsent_at, expected) => {
    expect(kinds({ spool: spool && { ...spool, oldest_unsent_at } })).toEqual(expected)
  })

  it('tells of a spool that is more than half full and of much lag', () => {
    expect(kinds({ spool: spool && { ...spool, total_bytes: 501 } })).toEqual(['spool'])
    expect(kinds({ history: history && { ...history, lag_messages: 1_000 } })).toEqual(['lag'])
  })

  it('stands without spool and history', () => {
    expect(kinds({ spool: null, history: null })).toEqual([])
  })
})
