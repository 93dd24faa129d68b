import Testing

@Suite struct PairTests {}
