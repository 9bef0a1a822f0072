import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import React, {
  createContext,
  useContext,
  useEffect,
  useRef,
  useState,
  useSyncExternalStore
} from 'react';

import { Followed, IState } from './state';
import { Store } from './store';

/**
 * What every view needs.
 */
export interface IContext {
  store: Store;
  gate: IGate;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

/**
 * Where a view reads the state: nothing comes through while it can't be seen.
 */
export interface IGate {
  readonly state: IState;
  /** Whether anything comes through now. */
  readonly open: boolean;
  subscribe(listener: () => void): () => void;
}

const Context = createContext<IContext | null>(null);

/** Gives `context` to the views inside. */
export function Provide(props: React.PropsWithChildren<{ context: IContext }>): JSX.Element {
  return <Context.Provider value={props.context}>{props.children}</Context.Provider>;
}

/** The context of the view. */
export function useMlops(): IContext {
  const context = useContext(Context);
  if (context === null) {
    throw new Error('A view must be inside of Provide');
  }
  return context;
}

/**
 * A part of the state. The view is drawn again when that part is another object or value.
 *
 * @param select - takes the part out; what it makes anew must go through `useMemo` instead.
 */
export function useSelector<T>(select: (state: IState) => T): T {
  const { gate } = useMlops();
  return useSyncExternalStore(gate.subscribe.bind(gate), () => select(gate.state));
}

/** Follow a cluster or a run for as long as the view is there and `active`. */
export function useFollow(noun: Followed, id: string, active = true): void {
  const { store } = useMlops();
  useEffect(() => {
    if (!active) {
      return;
    }
    const following = store.follow(noun, id);
    return () => following.dispose();
  }, [store, noun, id, active]);
}

/**
 * The server's time in seconds, drawn again every `period` seconds: for times that are written as "in 14 min".
 */
export function useNow(period: number, active = true): number {
  const { store } = useMlops();
  const [, draw] = useState(0);
  useEffect(() => {
    if (!active) {
      return;
    }
    const timer = window.setInterval(() => {
      if (!document.hidden) {
        draw(count => count + 1);
      }
    }, period * 1000);
    return () => window.clearInterval(timer);
  }, [period, active]);
  return store.now();
}

/** The latest value of something, for callbacks that must stay the same. */
export function useLatest<T>(value: T): React.MutableRefObject<T> {
  const latest = useRef(value);
  latest.current = value;
  return latest;
}
