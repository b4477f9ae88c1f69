import { REFUSAL_REASONS, type RefusalReason } from '@flexlora/core';
import { describeSettings, type Settings, STATUS_OF_REASON, systemClock } from '@flexlora/runtime';
import { status } from '@grpc/grpc-js';
import { Registry } from 'prom-client';
import { settings as aggregator } from '../services/aggregator/src/config.ts';
import { createAggregatorMetrics } from '../services/aggregator/src/metrics.ts';
import { settings as clientAgent } from '../services/client-agent/src/config.ts';
import { createAgentMetrics } from '../services/client-agent/src/metrics.ts';
import { settings as orchestrator } from '../services/orchestrator/src/config.ts';
import { createOrchestratorMetrics } from '../services/orchestrator/src/metrics.ts';

/** Every generated page: its path in the repository and its text. */
export function referencePages(): Readonly<Record<string, string>> {
  return {
    'docs/reference/configuration.md': configuration({ orchestrator, aggregator, 'client-agent': clientAgent }),
    'docs/reference/refusals.md': refusals(),
    'docs/reference/metrics.md': metrics(),
  };
}

const GENERATED = '<!-- made by npm run gen from the code; do not edit -->';
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function configuration(services: Readonly<Record<string, Settings>>): string {
  const sections = Object.entries(services).map(([name, settings]) => {
    const rows = describeSettings(settings).map(
      ({ env, allowed, standard, example, about }) =>
        `| \`${env}\` | ${cell(about)} | ${cell(allowed)} | ${cell(standard)} | \`${cell(example)}\` |`,
    );
    return [
      `## ${name}`,
      '',
      '| setting | what it is | allowed | default | example |',
      '|---|---|---|---|---|',
      ...rows,
      '',
    ].join('\n');
  });
  return [
    GENERATED,
    '# Configuration',
    '',
    'Each process reads its environment once, when it starts, and names every problem at once. An empty value counts as absent.',
    '',
    ...sections,
  ].join('\n');
}

function refusals(): string {
  const rows = Object.entries(REFUSAL_REASONS).map(
    ([reason, meaning]) =>
      `| \`${reason}\` | ${status[STATUS_OF_REASON[reason as RefusalReason]]} | ${cell(meaning)} |`,
  );
  return [
    GENERATED,
    '# Refusals',
    '',
    'A refusal is an answer, not a fault: it changes nothing, and asking again without a change gives the same answer. Its reason travels as a',
    '`google.rpc.ErrorInfo` of the domain `flexlora` (in UPPER_SNAKE_CASE); the message says what was got, what is allowed, and what to do.',
    'A fault of a backend is `UNAVAILABLE` with a `google.rpc.RetryInfo`.',
    '',
    '| reason | status | meaning |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function metrics(): string {
  const services: Readonly<Record<string, (registry: Registry) => unknown>> = {
    orchestrator: createOrchestratorMetrics,
    aggregator: createAggregatorMetrics,
    'client-agent': (registry) => createAgentMetrics(registry, systemClock),
  };
  const sections = Object.entries(services).flatMap(([name, create]) => {
    const registry = new Registry();
    create(registry);
    const rows = registry.getMetricsAsArray().map((metric) => {
      const { labelNames = [] } = metric as { readonly labelNames?: readonly string[] };
      const labels = labelNames.map((label) => `\`${label}\``).join(', ');
      return `| \`${metric.name}\` | ${labels} | ${cell(metric.help)} |`;
    });
    return [`## ${name}`, '', '| metric | labels | what it is |', '|---|---|---|', ...rows, ''];
  });
  return [
    GENERATED,
    '# Metrics',
    '',
    'Each process serves `/metrics` for Prometheus on its status port, with the metrics of Node and, where it serves gRPC, the usual ones of a gRPC',
    'server. Labels are closed sets: never a run, an agent or a round.',
    '',
    ...sections,
  ].join('\n');
}
