import ISCSIFormats

/// What this target can agree on, key by key: negotiation works by it, and the conformance document has it.
extension ISCSITargetConfiguration.Limits {
    /// Values of a list that are acceptable; the first of the initiator's list that is among them is chosen.
    package func choices(_ key: TextKey) -> [String] {
        switch key {
        case .authMethod: ["CHAP", "None"]
        case .headerDigest: headerDigest.acceptable
        case .dataDigest: dataDigest.acceptable
        case .taskReporting: ["ResponseFence", "RFC3720"]
        default: []
        }
    }

    /// The number that the result is limited by: from above for a minimum, from below for a maximum. The key's row has
    /// the range of offers.
    package func bound(_ key: TextKey) -> UInt64 {
        switch key {
        case .maxBurstLength: UInt64(maxBurstLength)
        case .firstBurstLength: UInt64(firstBurstLength)
        case .defaultTime2Wait: 2
        case .defaultTime2Retain: UInt64(time2Retain)
        case .errorRecoveryLevel: UInt64(maxErrorRecoveryLevel)
        case .maxConnections: UInt64(maxConnectionsPerSession)
        case .iSCSIProtocolLevel: 2
        default: 1
        }
    }

    /// Whether the target says Yes to a key whose result is Yes or No, before the initiator's word is looked at.
    package func stance(_ key: TextKey) -> Bool {
        switch key {
        case .initialR2T: requireInitialR2T
        case .immediateData: allowImmediateData
        // Data come in order, of one sequence and of the next.
        default: true
        }
    }
}
