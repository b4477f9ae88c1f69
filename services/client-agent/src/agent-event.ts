/** What an agent tells of its progress, to whoever started it. */
export type AgentEvent =
  | { readonly kind: 'enrolled'; readonly runId: string }
  | { readonly kind: 'waiting'; readonly afterMs: number; readonly reason: string }
  | {
      readonly kind: 'assigned';
      readonly round: number;
      /** The largest of `ranks`. */
      readonly rank: number;
      /** By rank group. */
      readonly ranks: Readonly<Record<string, number>>;
      readonly reason: string;
    }
  | ({ readonly kind: 'downloading' } & TransferTold)
  | {
      readonly kind: 'training';
      readonly round: number;
      readonly done: number;
      readonly total: number;
      /** Nats per token. */
      readonly loss: number | null;
    }
  | {
      readonly kind: 'trained';
      readonly round: number;
      readonly samples: number;
      readonly loss: number;
      readonly seconds: number;
    }
  /** The finished update is in int8. `relativeError`: ‖BA − BqAq‖ / ‖BA‖ over all modules, Frobenius. */
  | { readonly kind: 'quantised'; readonly round: number; readonly relativeError: number }
  /** `bytes` are durable at the server. */
  | ({ readonly kind: 'uploading' } & TransferTold)
  | {
      readonly kind: 'accepted';
      readonly round: number;
      /** The round that it counts in: a later one where it came late and was carried over. */
      readonly countsIn: number;
      /** Of the update's file. */
      readonly sha256: string;
      readonly samples: number;
      readonly loss: number | null;
    }
  /** The platform said no. `round` is null when it is about enrolment or asking for work. */
  | { readonly kind: 'refused'; readonly round: number | null; readonly reason: string; readonly message: string }
  /** The agent could not do it. */
  | { readonly kind: 'failed'; readonly round: number; readonly message: string }
  | { readonly kind: 'declined'; readonly round: number; readonly message: string }
  /** A call or a trainer is tried again. */
  | { readonly kind: 'retrying'; readonly what: string; readonly message: string; readonly waitMs: number }
  | {
      readonly kind: 'ended';
      readonly outcome: RunOutcome;
      readonly reason: string;
      readonly adapterVersion: number;
    };

interface TransferTold {
  readonly round: number;
  readonly bytes: number;
  readonly total: number;
  /** Over the last seconds; null: not known yet. */
  readonly bytesPerSecond: number | null;
  /** At that rate; null while it is not known, and while nothing moves. */
  readonly secondsLeft: number | null;
}

export type RunOutcome = 'completed' | 'failed' | 'cancelled';

export type Tell = (event: AgentEvent) => void;
