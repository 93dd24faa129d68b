import Testing

@Suite struct ManagementTests {}
