export interface FieldError {
  field: string
  message: string
}

/** Codes the client gives itself, beside those of the API's problem details. */
export const UNREACHABLE = 'unreachable'
export const UNKNOWN = 'unknown'

/** An answer that was not a success, as RFC 9457 problem details tell it. */
export class Problem extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    readonly detail = '',
    readonly errors: FieldError[] = [],
    readonly requestId: string | null = null,
  ) {
    super(detail || code)
    this.name = 'Problem'
  }

  /** The first complaint about one field, if there is any. */
  about(field: string): FieldError | undefined {
    return this.errors.find((error) => error.field === field)
  }
}

/** Reads problem details; anything else (a gateway's own page) becomes `unknown`. */
export function problemFrom(body: unknown, status: number): Problem {
  if (!isRecord(body) || typeof body.code !== 'string') return new Problem(UNKNOWN, status)
  const text = (value: unknown) => (typeof value === 'string' ? value : '')
  const errors = Array.isArray(body.errors) ? body.errors.filter(isFieldError) : []
  return new Problem(body.code, status, text(body.detail), errors, text(body.request_id) || null)
}

export function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem(UNKNOWN, 0, String(error))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isFieldError(value: unknown): value is FieldError {
  return isRecord(value) && typeof value.field === 'string' && typeof value.message === 'string'
}
