/**
 * The last events of a topic. A list that was read while events arrived may be older than they
 * are; replaying them over it closes that window, because applying an event twice changes nothing.
 */
export class RecentEvents<Event> {
  private readonly kept: { at: number; event: Event }[] = []
  private droppedAt = -Infinity
  private interruptedAt = -Infinity

  constructor(
    private readonly limit = 500,
    private readonly now: () => number = () => Date.now(),
  ) {}

  add(events: readonly Event[]): void {
    const at = this.now()
    this.kept.push(...events.map((event) => ({ at, event })))
    const dropped = this.kept.splice(0, Math.max(0, this.kept.length - this.limit))
    this.droppedAt = dropped.at(-1)?.at ?? this.droppedAt
  }

  /** Some events before this moment did not arrive and will not. */
  interrupt(): void {
    this.interruptedAt = this.now()
  }

  /** Whether `since(start)` gives all that happened. */
  isWholeSince(start: number): boolean {
    return this.droppedAt < start && this.interruptedAt <= start
  }

  /** The events that arrived at `start` (milliseconds since the epoch) or later, oldest first. */
  since(start: number): Event[] {
    return this.kept.filter(({ at }) => at >= start).map(({ event }) => event)
  }
}
