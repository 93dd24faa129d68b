import Testing

@Suite struct MemoryTests {}
