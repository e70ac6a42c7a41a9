import { describe, expect, it, vi } from 'vitest'
import { elect, leadWhileVisible } from './leader'

/** One lock that many tabs ask for, granted in the order they asked. */
function aLock() {
  type Waiting = { run: () => Promise<unknown>; signal?: AbortSignal }
  const queue: Waiting[] = []
  let isHeld = false
  async function grant() {
    const next = isHeld ? undefined : queue.shift()
    if (!next) return
    if (next.signal?.aborted) return void grant()
    isHeld = true
    await next.run()
    isHeld = false
    void grant()
  }
  const request = (_name: string, options: LockOptions, run: () => Promise<unknown>) => {
    queue.push({ run, signal: options.signal })
    void grant()
    return Promise.resolve()
  }
  return { request } as unknown as LockManager
}

function aTab(locks: LockManager) {
  const stopped = vi.fn()
  const lead = vi.fn(() => stopped)
  const resign = elect(locks, lead)
  return { lead, stopped, resign }
}

describe('elect', () => {
  it('lets one tab lead, and the next when that one resigns', async () => {
    const locks = aLock()
    const first = aTab(locks)
    const second = aTab(locks)
    expect(first.lead).toHaveBeenCalledOnce()
    expect(second.lead).not.toHaveBeenCalled()

    first.resign()
    expect(first.stopped).toHaveBeenCalledOnce()
    await vi.waitFor(() => expect(second.lead).toHaveBeenCalledOnce())
  })

  it('passes over a tab that withdrew while it waited', async () => {
    const locks = aLock()
    const [first, second, third] = [aTab(locks), aTab(locks), aTab(locks)]
    second.resign()
    first.resign()
    await vi.waitFor(() => expect(third.lead).toHaveBeenCalledOnce())
    expect(second.lead).not.toHaveBeenCalled()
  })
})

describe('leadWhileVisible', () => {
  it('leads while the tab is looked at', () => {
    const page = new EventTarget() as unknown as Document
    const look = (visibilityState: string) => {
      Object.assign(page, { visibilityState })
      page.dispatchEvent(new Event('visibilitychange'))
    }
    Object.assign(page, { visibilityState: 'hidden' })
    const stopped = vi.fn()
    const lead = vi.fn(() => stopped)

    const resign = leadWhileVisible(page, lead)
    expect(lead).not.toHaveBeenCalled()
    look('visible')
    look('visible')
    expect(lead).toHaveBeenCalledOnce()
    look('hidden')
    expect(stopped).toHaveBeenCalledOnce()
    look('visible')
    resign()
    expect(lead).toHaveBeenCalledTimes(2)
    expect(stopped).toHaveBeenCalledTimes(2)
  })
})
