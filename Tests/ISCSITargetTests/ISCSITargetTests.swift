import Testing

@Suite struct ISCSITargetTests {}
