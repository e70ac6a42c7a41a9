import type { ListedProcess, SystemState } from '@/api/types'
import { secondsBetween } from './figureText'

/** What is wrong now: `kind` names its text, and each value is written by the page. */
export type Warning =
  | { kind: 'dependency'; name: string; detail: string; service: string }
  | { kind: 'unknown'; name: string }
  | { kind: 'missing'; service: string }
  | { kind: 'silent'; service: string; instance: string; seconds: number }
  | { kind: 'check'; service: string; name: string; detail: string }
  | { kind: 'unsent'; seconds: number; bytes: number }
  | { kind: 'spool'; percent: number }
  | { kind: 'lag'; messages: number }

export const OLD_SECONDS = 10
export const FULL_SHARE = 0.5
export const MUCH_LAG = 1_000

export function systemWarnings(state: SystemState): Warning[] {
  return [...ofDependencies(state), ...ofProcesses(state), ...ofFlow(state)]
}

function ofDependencies({ dependencies }: SystemState): Warning[] {
  return Object.entries(dependencies).flatMap(([name, found]): Warning[] => {
    if (found.status === 'unknown') return [{ kind: 'unknown', name }]
    if (found.status === 'ok') return []
    return [{ kind: 'dependency', name, detail: found.detail ?? '', service: found.seen_by ?? '' }]
  })
}

function ofProcesses(state: SystemState): Warning[] {
  const silent = state.processes.filter((process) => process.silent)
  const known = new Set(silent.map((process) => process.service_name))
  return [
    ...state.missing
      .filter((service) => !known.has(service))
      .map((service): Warning => ({ kind: 'missing', service })),
    ...silent.map(
      (process): Warning => ({
        kind: 'silent',
        service: process.service_name,
        instance: process.instance,
        seconds: secondsBetween(process.reported_at, state.at),
      }),
    ),
    ...state.processes.filter((process) => !process.silent).flatMap((process) => ofChecks(state, process)),
  ]
}

/** What a process cannot reach, unless that is said for the whole system already. */
function ofChecks({ dependencies }: SystemState, process: ListedProcess): Warning[] {
  return Object.entries(process.checks)
    .filter(([name, check]) => check.status !== 'ok' && dependencies[name]?.status !== 'unavailable')
    .map(([name, check]) => ({
      kind: 'check',
      service: process.service_name,
      name,
      detail: check.detail ?? '',
    }))
}

function ofFlow({ at, spool, history }: SystemState): Warning[] {
  const warnings: Warning[] = []
  const seconds = spool?.oldest_unsent_at ? secondsBetween(spool.oldest_unsent_at, at) : 0
  if (spool && seconds > OLD_SECONDS) warnings.push({ kind: 'unsent', seconds, bytes: spool.unsent_bytes })
  const share = spool ? spool.total_bytes / spool.limit_bytes : 0
  if (share > FULL_SHARE) warnings.push({ kind: 'spool', percent: Math.round(share * 100) })
  const messages = history?.lag_messages ?? 0
  if (messages >= MUCH_LAG) warnings.push({ kind: 'lag', messages })
  return warnings
}
