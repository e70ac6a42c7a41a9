import { describe, expect, it } from 'vitest'
import { aCall } from '@/testing'
import { accepts, filterFrom, historyQuery, isFiltering, withoutTimes } from './callFilter'

describe('filterFrom', () => {
  it('takes what it knows from the address and leaves the rest', () => {
    expect(filterFrom({ method: 'GET', status: '4xx', call: 'id', user: '', reads: '1' })).toEqual({
      method: 'GET',
      status: '4xx',
      reads: true,
    })
  })

  it.each([
    [{ status: 'abc', from: 'yesterday', period: '8d' }, {}],
    [{ period: '1h', from: '2026-01-01T00:00:00Z' }, { period: '1h' }],
    [{ to: '2026-01-01T00:00:00Z', service: 'madang-api' }, { to: '2026-01-01T00:00:00Z', service: 'madang-api' }],
  ])('reads %j as %j', (query, expected) => {
    expect(filterFrom(query)).toEqual({ reads: false, ...expected })
  })

  it('asks the server for a period that ends now', () => {
    const now = Date.parse('2026-01-01T01:00:00Z')
    expect(historyQuery({ reads: true, period: '1h' }, now)).toEqual({ from: '2026-01-01T00:00:00.000Z', log_reads: true })
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
    [{ service: 'madang-api' }, { service_name: 'madang-api' }, true],
    [{ service: 'madang-api' }, { service_name: 'another' }, false],
    [{ endpoint: '/api/users' }, { endpoint: '/api/users/me' }, false],
    [{ from: '2026-01-01T00:00:01Z' }, { timestamp: '2026-01-01T00:00:00.999999Z' }, false],
    [{ from: '2026-01-01T00:00:01Z' }, { timestamp: '2026-01-01T00:00:01.000001Z' }, true],
    [{ to: '2026-01-01T00:00:01Z' }, { timestamp: '2026-01-01T00:00:01.000000Z' }, false],
    [{}, { endpoint: '/api/logs/redis' }, false],
    [{}, { endpoint: '/api/logs/kafka/{id}' }, false],
    [{}, { endpoint: '/api/stats/calls' }, false],
    [{}, { endpoint: '/api/admin/system' }, false],
    [{}, { endpoint: '/api/admin/systems' }, true],
    [{ reads: true }, { endpoint: '/api/logs/redis' }, true],
  ])('%j of %j is %s', (filter, call, expected) => {
    expect(accepts({ reads: false, ...filter }, aCall(call))).toBe(expected)
  })

  it('takes a period as one that ends now', () => {
    const now = Date.parse('2026-01-01T00:15:00Z')
    const filter = { reads: false, period: '15m' } as const
    expect(accepts(filter, aCall({ timestamp: '2026-01-01T00:00:00Z' }), now)).toBe(true)
    expect(accepts(filter, aCall({ timestamp: '2025-12-31T23:59:59Z' }), now)).toBe(false)
  })

  it('has no times in the live view', () => {
    const timeless = withoutTimes({ reads: false, from: '2030-01-01T00:00:00Z', to: '2030-01-02T00:00:00Z' })
    expect(accepts(timeless, aCall())).toBe(true)
    expect(isFiltering(timeless)).toBe(false)
  })
})
