import { describe, expect, it } from 'vitest'
import { asProblem, Problem, problemFrom } from './problem'

describe('problemFrom', () => {
  it('reads problem details with the fields they name', () => {
    const body = {
      code: 'validation_failed',
      detail: 'The input is not valid.',
      errors: [{ field: 'body', message: 'too long' }, { nonsense: true }],
      request_id: 'r1',
    }
    const problem = problemFrom(body, 422)
    expect(problem).toMatchObject({ code: 'validation_failed', status: 422, requestId: 'r1' })
    expect(problem.about('body')?.message).toBe('too long')
    expect(problem.about('username')).toBeUndefined()
    expect(problem.errors).toHaveLength(1)
  })

  it.each([['<html>Bad gateway</html>'], [null], [undefined], [{ code: 5 }]])(
    'calls %j unknown',
    (body) => expect(problemFrom(body, 502)).toMatchObject({ code: 'unknown', status: 502 }),
  )
})

it('asProblem keeps a problem and wraps anything else', () => {
  const problem = new Problem('not_found', 404)
  expect(asProblem(problem)).toBe(problem)
  expect(asProblem(new Error('boom')).code).toBe('unknown')
})
