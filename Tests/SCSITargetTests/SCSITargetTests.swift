import Testing

@Suite struct SCSITargetTests {}
