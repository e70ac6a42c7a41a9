import { useI18n } from 'vue-i18n'
import { UNKNOWN, type Problem } from '@/api/problem'

/** What a problem says in the reader's language; the server's own words where we have none. */
export function useProblemText() {
  const { t, te } = useI18n()

  function text(problem: Problem): string {
    if (te(`problem.${problem.code}`)) return t(`problem.${problem.code}`)
    return problem.detail || t(`problem.${UNKNOWN}`)
  }

  /** What is wrong with one field, or undefined. */
  function field(problem: Problem | null, name: string): string | undefined {
    const error = problem?.about(name)
    if (!error) return undefined
    return te(`field.${name}`) ? t(`field.${name}`) : error.message
  }

  return { text, field }
}
