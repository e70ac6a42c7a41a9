import { onScopeDispose, ref, watch } from 'vue'

const DELAY_MS = 200

/** Text that survives a reload, kept under `name` in this browser. */
export function useDraft(name: string, storage: Storage = localStorage) {
  const key = `madang.draft.${name}`
  const text = ref(read(storage, key))
  let timer: ReturnType<typeof setTimeout> | undefined

  const save = () => {
    clearTimeout(timer)
    write(storage, key, text.value)
  }
  watch(text, () => {
    clearTimeout(timer)
    timer = setTimeout(save, DELAY_MS)
  })
  window.addEventListener('pagehide', save)
  onScopeDispose(() => {
    window.removeEventListener('pagehide', save)
    save()
  })

  /** Forgets what was posted, and keeps what was typed since. */
  function posted(body: string) {
    if (text.value === body) text.value = ''
    save()
  }
  return { text, posted }
}

function read(storage: Storage, key: string): string {
  try {
    return storage.getItem(key) ?? ''
  } catch {
    return ''
  }
}

function write(storage: Storage, key: string, text: string) {
  try {
    if (text) storage.setItem(key, text)
    else storage.removeItem(key)
  } catch {
    // Storage may be full or refused: the draft then lives as long as the page.
  }
}
