import { IFrame, MainAreaWidget } from '@jupyterlab/apputils';

import { mlopsIcon } from '../icons';

/** A page of a cluster's dashboard, as a tab. */
export function makePane(id: string, title: string, url: string): MainAreaWidget<IFrame> {
  const content = new IFrame({
    // The page is the cluster's: its scripts must not reach ours. The server sends it on to an address with a key.
    sandbox: ['allow-scripts', 'allow-popups', 'allow-forms', 'allow-downloads']
  });
  content.url = url;
  const widget = new MainAreaWidget({ content });
  widget.id = id;
  widget.title.label = title;
  widget.title.caption = title;
  widget.title.icon = mlopsIcon;
  widget.title.closable = true;
  widget.toolbar.hide();
  return widget;
}
