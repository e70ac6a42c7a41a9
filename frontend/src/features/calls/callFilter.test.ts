import { describe, expect, it } from 'vitest'
import { aCall } from '@/testing'
import { accepts, filterFrom, historyQuery } from './callFilter'

describe('filterFrom', () => {
  it('takes what it knows from the address and leaves the rest', () => {
    expect(filterFrom({ method: 'GET', status: '4xx', call: 'id', user: '', reads: '1' })).toEqual({
      method: 'GET',
      status: '4xx',
      reads: true,
    })
  })

  it('asks the server to leave out reads of the log unless told', () => {
    expect(historyQuery(filterFrom({ user: 'someone' }))).toEqual({ user: 'someone', log_reads: false })
  })
})

describe('accepts', () => {
  it.each([
    [{ status: '4xx' }, { status: 404 }, true],
    [{ status: '4xx' }, { status: 500 }, false],
    [{ status: '404' }, { status: 404 }, true],
    [{ status: '404' }, { status: 403 }, false],
    [{ method: 'POST' }, { method: 'GET' }, false],
    [{ user: 'one' }, { user_id: 'one' }, true],
    [{ user: 'one' }, { user_id: null }, false],
    [{ endpoint: '/api/users' }, { endpoint: '/api/users/me' }, false],
    [{ from: '2026-01-01T00:00:01Z' }, { timestamp: '2026-01-01T00:00:00.999999Z' }, false],
    [{ from: '2026-01-01T00:00:01Z' }, { timestamp: '2026-01-01T00:00:01.000001Z' }, true],
    [{ to: '2026-01-01T00:00:01Z' }, { timestamp: '2026-01-01T00:00:01.000000Z' }, false],
    [{}, { endpoint: '/api/logs/redis' }, false],
    [{}, { endpoint: '/api/logs/kafka/{id}' }, false],
    [{}, { endpoint: '/api/stats/calls' }, false],
    [{ reads: true }, { endpoint: '/api/logs/redis' }, true],
  ])('%j of %j is %s', (filter, call, expected) => {
    expect(accepts({ reads: false, ...filter }, aCall(call))).toBe(expected)
  })
})
