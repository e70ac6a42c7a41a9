import { useOnline } from '@vueuse/core'
import { computed, watch } from 'vue'
import { probe, reachable } from '@/api/client'
import { backoffMs } from './live/backoff'

const connected = useOnline()

/** Whether the browser has a network and the server answered the last request. */
export const online = computed(() => connected.value && reachable.value)

/** While the server is out of reach, asks for it again and again; then runs `recovered`. */
export function watchConnection(recovered: () => void): void {
  let attempt = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  const tryAgain = async () => {
    clearTimeout(timer)
    if (connected.value && (await probe())) return
    attempt += 1
    timer = setTimeout(tryAgain, Math.min(backoffMs(attempt), 10_000))
  }
  watch(online, (now, before) => {
    clearTimeout(timer)
    attempt = 0
    if (now && !before) recovered()
    if (!now) timer = setTimeout(tryAgain, backoffMs(0))
  })
  watch(connected, (now) => now && !reachable.value && void tryAgain())
}
