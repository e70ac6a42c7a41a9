// Runs before the first paint, so that a chosen theme never flashes the other one.
;(() => {
  let chosen = null
  try {
    chosen = localStorage.getItem('vueuse-color-scheme')
  } catch {
    // Storage may be refused; the system's theme holds then.
  }
  const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
  document.documentElement.classList.add(chosen === 'dark' || chosen === 'light' ? chosen : system)
})()
