import Testing

@Suite struct PrimitivesTests {}
