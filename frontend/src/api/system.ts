import { answer, client } from './client'
import type { SystemState } from './types'

export function systemState(signal?: AbortSignal): Promise<SystemState> {
  return answer(client.GET('/api/admin/system', { signal }))
}
