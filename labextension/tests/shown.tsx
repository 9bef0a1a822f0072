import React from 'react';

import { Panel } from '../src/sidebar/panel';
import { NOW, snapshot } from './examples';
import { Stage } from './stage';

/** The tests of a file have the time of the examples, which passes when they say so. */
export function standStill(): void {
  beforeEach(() => {
    jest.useFakeTimers();
    jest.setSystemTime(NOW * 1000);
  });
  afterEach(() => jest.useRealTimers());
}

/** The panel, once it has heard of what there is. */
export async function panel(part: Parameters<typeof snapshot>[0]): Promise<Stage> {
  const stage = new Stage();
  stage.show(<Panel />);
  await stage.after(() => stage.stream.say(snapshot(part)));
  return stage;
}
