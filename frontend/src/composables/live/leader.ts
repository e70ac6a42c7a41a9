/** Starts the work of a leader; the answer stops it. */
export type Lead = () => () => void

type Locks = Pick<LockManager, 'request'>

const LOCK = 'madang-live'

/**
 * Runs `lead` in exactly one tab of the browser at a time, and in the next one when that tab goes.
 * The answer resigns, whether or not this tab was the leader.
 */
export function elect(locks: Locks, lead: Lead): () => void {
  const candidacy = new AbortController()
  let resign = () => {}
  const term = () =>
    new Promise<void>((done) => {
      const stop = lead()
      resign = () => {
        stop()
        done()
      }
    })
  locks.request(LOCK, { signal: candidacy.signal }, term).catch(ignoreWithdrawal)
  return () => {
    candidacy.abort()
    resign()
  }
}

/**
 * Where there are no Web Locks (plain http on another host), only a tab that is looked at leads,
 * so that a browser's few connections are not used up by tabs in the background.
 */
export function leadWhileVisible(page: Document, lead: Lead): () => void {
  let stop: (() => void) | null = null
  const follow = () => {
    if (page.visibilityState === 'visible') stop ??= lead()
    else {
      stop?.()
      stop = null
    }
  }
  page.addEventListener('visibilitychange', follow)
  follow()
  return () => {
    page.removeEventListener('visibilitychange', follow)
    stop?.()
  }
}

function ignoreWithdrawal(error: unknown) {
  if (!(error instanceof DOMException && error.name === 'AbortError')) throw error
}
