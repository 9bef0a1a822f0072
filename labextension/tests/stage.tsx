import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { act, render, RenderResult } from '@testing-library/react';
import React from 'react';

import { addClusterCommands } from '../src/cluster/commands';
import { CommandIDs } from '../src/commands';
import { addModelCommands } from '../src/models/commands';
import { addMoneyCommands } from '../src/money/commands';
import { addRunCommands } from '../src/run/commands';
import { Gate } from '../src/state/gate';
import { Provide } from '../src/state/hooks';
import { Store } from '../src/state/store';
import { TestApi, TestStream } from './server';

export const trans = nullTranslator.load('jupyter_mlops');

/** A store with a stream and a server that the test holds in its hands, and the real commands. */
export class Stage {
  readonly stream = new TestStream();
  readonly api = new TestApi();
  readonly store = new Store(this.stream, this.api);
  readonly commands = new CommandRegistry();
  readonly gate = new Gate(this.store);
  /** Files of the server, by path. */
  readonly files = new Map<string, unknown>();
  readonly contents = {
    get: async (path: string): Promise<never> => {
      if (!this.files.has(path)) {
        throw Object.assign(new Error('Not Found'), { response: { status: 404 } });
      }
      return null as never;
    },
    save: async (path: string, options?: { content?: unknown }): Promise<never> => {
      this.files.set(path, options?.content);
      return null as never;
    }
  };
  /** Commands of other plugins that were executed, with their arguments. */
  readonly executed: [string, unknown][] = [];

  constructor() {
    addClusterCommands(this.commands, this.store, trans);
    addModelCommands(this.commands, this.store, trans, this.contents);
    addMoneyCommands(this.commands, this.store, trans);
    addRunCommands(this.commands, this.store, trans);
    const others = [
      CommandIDs.openPanel,
      CommandIDs.openDetails,
      CommandIDs.useCluster,
      CommandIDs.revealRun,
      CommandIDs.openSettings,
      CommandIDs.openModel,
      CommandIDs.openRun,
      CommandIDs.editProfile,
      CommandIDs.openTrials,
      CommandIDs.deployModel,
      CommandIDs.tryService,
      CommandIDs.openService,
      CommandIDs.compareService,
      CommandIDs.shareService,
      CommandIDs.retrainService,
      CommandIDs.revealCell,
      CommandIDs.saveModel,
      CommandIDs.promoteService,
      CommandIDs.rollBackService,
      'docmanager:open'
    ];
    for (const id of others) {
      this.commands.addCommand(id, { execute: args => void this.executed.push([id, args]) });
    }
    this.gate.open = true;
    this.store.start();
  }

  show(view: JSX.Element): RenderResult {
    return render(this.within(view));
  }

  /** A view with the context that it needs. */
  within(view: JSX.Element): JSX.Element {
    const context = { ...this, commands: this.commands, trans };
    return <Provide context={context}>{view}</Provide>;
  }

  /** What the stream says within `action` is on screen afterwards. */
  async after(action: () => void, milliseconds = 250): Promise<void> {
    await act(async () => {
      action();
      await jest.advanceTimersByTimeAsync(milliseconds);
    });
  }
}

/** The element with a handle, inside of `root`. */
export function find(handle: string, root: ParentNode = document): HTMLElement {
  const element = root.querySelector<HTMLElement>(`[data-mlops="${handle}"]`);
  if (!element) {
    throw new Error(`There is no ${handle} in ${(root as Element).innerHTML ?? 'the page'}`);
  }
  return element;
}
