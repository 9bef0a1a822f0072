import {
  ILabShell,
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';

import { mlopsIcon } from '../icons';
import { Store } from '../state/store';
import { DOMAIN, IStore } from './core';

/** One kind of tabs of the main area, which come back when the page is loaded again. */
export interface ITabs<T extends Widget> {
  /** Of the tracker, and of the widgets' ids. */
  namespace: string;
  /** Lab remembers for each kind of widgets on which side they are: who moves one moves all of its kind. */
  type: string;
  /** The command that opens one, and what it is given for one that is open. */
  command: string;
  args: (content: T) => ReadonlyPartialJSONObject;
  /** What tells it from the others of its kind. */
  name: (content: T) => string;
}

/** Opens tabs of a kind, each once. */
export class Tabs<T extends Widget> {
  private readonly tracker: WidgetTracker<MainAreaWidget<T>>;

  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    private readonly kind: ITabs<T>
  ) {
    this.tracker = new WidgetTracker<MainAreaWidget<T>>({ namespace: kind.namespace });
    void restorer?.restore(this.tracker, {
      command: kind.command,
      args: widget => kind.args(widget.content),
      name: widget => kind.name(widget.content)
    });
  }

  /** What is in the open tab of that name. */
  find(name: string): T | undefined {
    return this.widget(name)?.content;
  }

  /** Bring the tab of that name to the front. One that isn't open is made. */
  show(name: string, make: () => { content: T; label: string; caption: string }): void {
    this.app.shell.activateById((this.widget(name) ?? this.add(name, make())).id);
  }

  private widget(name: string): MainAreaWidget<T> | undefined {
    return this.tracker.find(open => this.kind.name(open.content) === name);
  }

  private add(
    name: string,
    { content, label, caption }: { content: T; label: string; caption: string }
  ): MainAreaWidget<T> {
    const widget = new MainAreaWidget({ content });
    widget.id = `${this.kind.namespace}-${name}`;
    widget.title.label = label;
    widget.title.caption = caption;
    widget.title.icon = mlopsIcon;
    widget.toolbar.hide();
    // Notebook 7 has one document a page, and room for others beside it.
    this.app.shell.add(widget, this.labShell ? 'main' : 'right', { type: this.kind.type });
    void this.tracker.add(widget);
    return widget;
  }
}

/** What commands and tabs work with. */
export interface ITabContext {
  store: Store;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

/** A plugin that has one kind of tabs; `add` adds the command that opens them. */
export function tabsPlugin<T extends Widget>(
  id: string,
  description: string,
  kind: ITabs<T>,
  add: (context: ITabContext, tabs: Tabs<T>) => void
): JupyterFrontEndPlugin<void> {
  return {
    id,
    description,
    autoStart: true,
    requires: [IStore],
    optional: [ITranslator, ILayoutRestorer, ILabShell],
    activate: (
      app: JupyterFrontEnd,
      store: Store,
      translator: ITranslator | null,
      restorer: ILayoutRestorer | null,
      labShell: ILabShell | null
    ): void => {
      const trans = (translator ?? nullTranslator).load(DOMAIN);
      add({ store, commands: app.commands, trans }, new Tabs<T>(app, labShell, restorer, kind));
    }
  };
}
