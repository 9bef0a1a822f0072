import { TranslationBundle } from '@jupyterlab/translation';
import React, { useState } from 'react';

import { useMlops, useSelector } from '../state/hooks';
import { Event } from '../state/schema';
import { clock } from '../words/time';
import { wordOf } from '../words/word';
import { useFetched } from './fetched';
import { IPartProps } from './part';

/** Events that are drawn before "older". */
const FIRST = 200;

/** The events of a cluster, newest first: live ones from the stream, those of an ended one from its record. */
export function useEvents({ cluster }: Pick<IPartProps, 'cluster'>): readonly Event[] {
  const { store } = useMlops();
  const live = useSelector(state => state.events.get(cluster.id));
  const isOver = cluster.phase === 'ended';
  const { value } = useFetched(`${cluster.id} ${isOver}`, () => store.api.events(cluster.id));
  const recorded = value ?? [];
  return !live || (isOver && recorded.length > live.length) ? recorded : live;
}

/** What happened, and why. */
export function EventsPart(props: IPartProps): JSX.Element {
  const { store, trans } = useMlops();
  const events = useEvents(props);
  const [most, setMost] = useState(FIRST);
  const now = store.now();
  if (events.length === 0) {
    return <p className="jp-mlops-hint">{trans.__('Nothing has happened yet.')}</p>;
  }
  return (
    <div className="jp-mlops-scroll" tabIndex={0}>
      <ol className="jp-mlops-events" aria-label={trans.__('Events, newest first')}>
        {events
          .slice(-most)
          .reverse()
          .map(event => (
            <li key={event.seq} data-kind={event.kind} data-mlops="event">
              <time>{clock(event.time, now)}</time>
              <span className="jp-mlops-event-kind">{kind(trans, event.kind)}</span>
              <span className="jp-mlops-event-text">
                {event.text}
                {event.problem && <Cause event={event} />}
              </span>
            </li>
          ))}
      </ol>
      {events.length > most && (
        <button type="button" className="jp-mlops-button" onClick={() => setMost(most + 5 * FIRST)}>
          {trans.__('%1 older', events.length - most)}
        </button>
      )}
    </div>
  );
}

function Cause({ event }: { event: Event }): JSX.Element {
  const { what, why, todo } = event.problem!;
  const shown = [what === event.text ? '' : what, why, todo].filter(Boolean);
  return (
    <span className="jp-mlops-event-cause">
      {shown.map((words, index) => (
        <span key={index}>{words}</span>
      ))}
    </span>
  );
}

function kind(trans: TranslationBundle, value: Event['kind']): string {
  const words: Record<Event['kind'], string> = {
    cluster: trans.__('cluster'),
    scale: trans.__('scale'),
    worker: trans.__('worker'),
    run: trans.__('run'),
    limit: trans.__('limit'),
    problem: trans.__('problem')
  };
  return wordOf(words, value);
}
