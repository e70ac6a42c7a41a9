import { createSharedComposable, useNow as useClock } from '@vueuse/core'

/** The time, for texts that grow old: one clock for the whole page. */
export const useNow = createSharedComposable(() => useClock({ interval: 10_000 }))
