import { TranslationBundle } from '@jupyterlab/translation';
import React, { useRef, useState } from 'react';

import { useMlops } from '../state/hooks';
import { RankState, RunState } from '../state/schema';
import { number } from '../words/number';
import { size } from '../words/size';
import { wordOf } from '../words/word';

const MARKS: Record<RankState['phase'], string> = {
  starting: '·',
  running: '',
  saving: '↓',
  done: '✓',
  failed: '✗'
};

/** How far a key goes from one square to the next. */
const STEPS: Record<string, number> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

/** The ranks of a gang as squares, of which one is told in words: the one pointed at, or that the keyboard is on. */
export function Ranks({ run }: { run: RunState }): JSX.Element | null {
  const { trans } = useMlops();
  const [at, setAt] = useState(0);
  const [told, setTold] = useState<number | null>(null);
  const list = useRef<HTMLDivElement>(null);
  const { ranks } = run;
  if (ranks.length === 0) {
    return null;
  }
  const foremost = Math.max(...ranks.map(rank => rank.step ?? -1));
  const current = Math.min(at, ranks.length - 1);
  const shown = told === null ? null : ranks[Math.min(told, ranks.length - 1)];
  const move = (event: React.KeyboardEvent): void => {
    const last = ranks.length - 1;
    const aims: Record<string, number> = { Home: 0, End: last };
    const aim = aims[event.key] ?? current + (STEPS[event.key] ?? NaN);
    if (Number.isNaN(aim)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const next = Math.max(0, Math.min(last, aim));
    setAt(next);
    (list.current!.children[next] as HTMLElement).focus();
  };
  return (
    <div className="jp-mlops-ranks" data-mlops="ranks">
      <div ref={list} className="jp-mlops-squares" role="group" aria-label={trans.__('Ranks')}>
        {ranks.map((rank, index) => (
          <button
            key={rank.rank}
            type="button"
            className="jp-mlops-square"
            data-phase={rank.phase}
            data-lags={isLate(rank) || undefined}
            tabIndex={index === current ? 0 : -1}
            aria-label={words(trans, rank)}
            title={words(trans, rank)}
            onKeyDown={move}
            onFocus={() => (setAt(index), setTold(index))}
            onBlur={() => setTold(null)}
            onMouseEnter={() => setTold(index)}
            onMouseLeave={() => setTold(null)}
            data-mlops="rank"
          >
            <span style={{ height: `${filled(rank, foremost)}%` }} />
            <b aria-hidden="true">{MARKS[rank.phase]}</b>
          </button>
        ))}
      </div>
      <p data-mlops="rank-words">{shown ? words(trans, shown) : together(trans, run, foremost)}</p>
    </div>
  );
}

/** Whether a rank that goes on is behind by more than the step that is under way. */
function isLate(rank: RankState): boolean {
  return rank.phase !== 'done' && rank.phase !== 'failed' && rank.lag > 1;
}

/** How much of its square is filled: how far it is, in per cent of the foremost. */
function filled(rank: RankState, foremost: number): number {
  if (rank.phase === 'starting') {
    return 0;
  }
  return rank.step === null || foremost <= 0 ? 100 : (100 * rank.step) / foremost;
}

/** All that is known of a rank: "rank 1 · running · step 19 of 40 · 1 behind · default-2 · 69 MB". */
function words(trans: TranslationBundle, rank: RankState): string {
  const phases: Record<RankState['phase'], string> = {
    starting: trans.__('starting'),
    running: trans.__('running'),
    saving: trans.__('saving'),
    done: trans.__('done'),
    failed: trans.__('failed')
  };
  return [
    trans.__('rank %1', number(rank.rank)),
    wordOf(phases, rank.phase),
    rank.step !== null && stepOf(trans, rank.step, rank.total),
    rank.lag > 0 && trans.__('%1 behind', number(rank.lag)),
    rank.worker,
    rank.memory > 0 && size(rank.memory),
    rank.gpu !== null && trans.__('GPU %1 %', number(Math.round(100 * rank.gpu))),
    rank.gpu_memory > 0 && trans.__('%1 on the GPU', size(rank.gpu_memory))
  ]
    .filter(Boolean)
    .join(' · ');
}

/** Where the ranks are together, and which of them is last. */
function together(trans: TranslationBundle, { ranks, total }: RunState, foremost: number): string {
  const steps = ranks.flatMap(rank => (rank.step === null ? [] : [rank]));
  const some = (total ?? 0) > ranks.length ? trans.__('the first %1', number(ranks.length)) : '';
  if (steps.length === 0) {
    return [trans._n('%1 rank', '%1 ranks', total ?? ranks.length), some]
      .filter(Boolean)
      .join(' · ');
  }
  const last = steps.reduce((one, other) => (other.lag > one.lag ? other : one));
  const far = stepOf(trans, foremost, last.total);
  const behind =
    last.lag > 0 ? trans.__('rank %1 is %2 behind', number(last.rank), number(last.lag)) : '';
  return [far, behind, some].filter(Boolean).join(' · ');
}

function stepOf(trans: TranslationBundle, step: number, total: number | null): string {
  return total === null
    ? trans.__('step %1', number(step))
    : trans.__('step %1 of %2', number(step), number(total));
}
