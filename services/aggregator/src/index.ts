export { type Aggregator, type AggregatorDeps, type AggregatorOptions, createAggregator } from './aggregator.ts';
